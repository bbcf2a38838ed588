"""Structured reports as HTML (PS3.3 C.17.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.documents.page import definitions, element, page
from converter.layout import person

if TYPE_CHECKING:
    from collections.abc import Callable

    from converter.dicom.header import Header


def is_report(header: Header) -> bool:
    """Whether the object is a structured report: it has a content tree."""
    return tags.CONTENT_SEQUENCE in header and tags.VALUE_TYPE in header


def report(header: Header) -> bytes:
    """A structured report as an HTML page: who, when, and the content tree.

    Raises
    ------
    TooLarge
        Where the content lies deeper than `LIMITS.nesting`.

    References
    ----------
    PS3.3 C.17.3 SR Document Content
    """
    title = _concept(header) or "Report"
    about = definitions(
        [
            ("Patient", f"{person(header.text(tags.PATIENT_NAME))} ({header.text(tags.PATIENT_ID)})"),
            ("Date", header.text(tags.CONTENT_DATE) or header.text(tags.STUDY_DATE)),
            ("Completion", header.text(tags.COMPLETION_FLAG)),
            ("Verification", header.text(tags.VERIFICATION_FLAG)),
        ]
    )
    content = "".join(_item(item) for item in header.items(tags.CONTENT_SEQUENCE))
    return page(title, about + content)


def _item(item: Header) -> str:
    """One content item and what lies below it."""
    name, kind = _concept(item), item.text(tags.VALUE_TYPE)
    below = "".join(_item(child) for child in item.items(tags.CONTENT_SEQUENCE))
    if kind == "CONTAINER":
        return f"<section>\n{element('h2', name)}{below}</section>\n"
    if not kind:  # an item by reference (PS3.3 table C.17-6)
        return below
    value = _VALUES.get(kind, _other)(item)
    return definitions([(name or kind, value)]) + (f"<section>\n{below}</section>\n" if below else "")


def _concept(item: Header) -> str:
    """Meaning of the item's concept name (PS3.3 8.3)."""
    name = item.first_item(tags.CONCEPT_NAME)
    return name.text(tags.CODE_MEANING) if name else ""


def _code(item: Header) -> str:
    code = item.first_item(tags.CONCEPT_CODE)
    return code.text(tags.CODE_MEANING) if code else ""


def _measured(item: Header) -> str:
    value = item.first_item(tags.MEASURED_VALUE)
    if value is None:
        return "not measured"
    unit = value.first_item(tags.MEASUREMENT_UNITS)
    return f"{value.text(tags.NUMERIC_VALUE)} {unit.text(tags.CODE_VALUE) if unit else ''}".strip()


def _reference(item: Header) -> str:
    objects = item.items(tags.REFERENCED_SOP_SEQUENCE)
    return ", ".join(found.text(tags.REFERENCED_SOP_INSTANCE_UID) for found in objects)


def _points(item: Header) -> str:
    numbers = item.numbers(tags.GRAPHIC_DATA)
    return f"{item.text(tags.GRAPHIC_TYPE)} of {len(numbers) // 2} points"


def _other(item: Header) -> str:
    return f"({item.text(tags.VALUE_TYPE)} is not shown)"


_VALUES: dict[str, Callable[[Header], str]] = {
    "TEXT": lambda item: item.text(tags.TEXT_VALUE),
    "CODE": _code,
    "NUM": _measured,
    "PNAME": lambda item: person(item.text(tags.PERSON_NAME)),
    "DATE": lambda item: item.text(tags.DATE_VALUE),
    "TIME": lambda item: item.text(tags.TIME_VALUE),
    "DATETIME": lambda item: item.text(tags.DATETIME_VALUE),
    "UIDREF": lambda item: item.text(tags.UID_VALUE),
    "IMAGE": _reference,
    "COMPOSITE": _reference,
    "WAVEFORM": _reference,
    "SCOORD": _points,
    "SCOORD3D": _points,
}
