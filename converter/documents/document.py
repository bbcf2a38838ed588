"""The document in an object: a PDF, a clinical document or a structured report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.documents.clinical import clinical_document
from converter.documents.report import is_report, report
from converter.errors import ConversionError

if TYPE_CHECKING:
    from converter.dicom.header import Header


def document(header: Header) -> tuple[str, bytes] | None:
    """The suffix and content of the document that an object is, or None where it is none.

    Raises
    ------
    ConversionError
        Where the document is damaged or of a kind that nobody could open safely.

    References
    ----------
    PS3.3 A.45 Encapsulated Document, A.35 Structured Report
    """
    if tags.ENCAPSULATED_DOCUMENT in header:
        return _encapsulated(header)
    return (".html", report(header)) if is_report(header) else None


def _encapsulated(header: Header) -> tuple[str, bytes]:
    kind = header.text(tags.MIME_TYPE).lower()
    content = header.raw(tags.ENCAPSULATED_DOCUMENT)
    length = header.integer(tags.ENCAPSULATED_DOCUMENT_LENGTH)
    content = content[:length] if length and 0 < length <= len(content) else content
    if kind == "application/pdf":
        if b"%PDF-" not in content[:1024]:
            raise ConversionError("the encapsulated PDF is none", tag=tags.ENCAPSULATED_DOCUMENT)
        return ".pdf", content
    if kind in ("text/xml", "application/xml"):
        return ".html", clinical_document(content)
    raise ConversionError(f"an encapsulated document of type {kind!r} is not converted", tag=tags.MIME_TYPE)
