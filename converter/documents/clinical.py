"""Clinical documents (HL7 CDA) as HTML: their sections and text, without their XML's powers."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from converter.documents.page import definitions, element, page
from converter.errors import ConversionError
from converter.limits import LIMITS

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# CDA narrative block (CDA R2 4.3.5) to HTML; every other element gives only what is in it.
_NARRATIVE = {
    "paragraph": "p",
    "list": "ul",
    "item": "li",
    "table": "table",
    "thead": "thead",
    "tbody": "tbody",
    "tr": "tr",
    "th": "th",
    "td": "td",
    "caption": "strong",
    "sub": "sub",
    "sup": "sup",
}


def clinical_document(xml: bytes) -> bytes:
    """A CDA document as an HTML page.

    Raises
    ------
    ConversionError
        Where it is no XML, or declares a document type, by which entities could grow without bound.
    """
    root = _parsed(xml)
    title = _text(_find(root, "title")) or "Clinical document"
    patient = _find(root, "patient")
    name = " ".join(filter(None, (_text(part) for part in _all(patient, "given") + _all(patient, "family"))))
    sections = "".join(_section(section) for section in _all(root, "section"))
    body = sections or element("p", " ".join(" ".join(root.itertext()).split()))
    return page(title, definitions([("Patient", name)]) + body, language=root.get("languageCode", "en"))


def _parsed(xml: bytes) -> Element:
    if b"<!DOCTYPE" in xml.upper() or b"<\0!\0D\0" in xml:
        raise ConversionError("the clinical document declares a document type, which is not safe to read")
    try:
        return ET.fromstring(xml.strip(b"\0 \r\n\t"))  # noqa: S314 - without a document type there are no entities
    except (ET.ParseError, ValueError, LookupError) as error:
        raise ConversionError(f"the clinical document is no XML ({error})") from error


def _section(section: Element) -> str:
    """Title and narrative of a section; sections within it come by themselves."""
    title = next((child for child in section if _name(child) == "title"), None)
    narrative = next((child for child in section if _name(child) == "text"), None)
    text = "" if narrative is None else _html(narrative)
    return f"<section>\n{element('h2', _text(title))}{text}</section>\n"


def _html(node: Element, depth: int = 0) -> str:
    """The node's content as HTML."""
    if depth > LIMITS.nesting:
        raise ConversionError(f"the clinical document nests more than {LIMITS.nesting} deep")
    if _name(node) == "br":
        return "<br>"
    inner = escape(node.text or "") + "".join(_html(child, depth + 1) + escape(child.tail or "") for child in node)
    tag = _NARRATIVE.get(_name(node))
    return f"<{tag}>{inner}</{tag}>" if tag else inner


def _name(node: Element) -> str:
    return str(node.tag).rpartition("}")[2]


def _all(node: Element | None, name: str) -> list[Element]:
    return [] if node is None else [found for found in node.iter() if _name(found) == name]


def _find(node: Element, name: str) -> Element | None:
    return next(iter(_all(node, name)), None)


def _text(node: Element | None) -> str:
    return "" if node is None else " ".join("".join(node.itertext()).split())
