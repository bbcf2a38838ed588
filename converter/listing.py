"""The data elements of a file as rows that people read, and as DICOM JSON."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from converter.dicom import part10
from converter.dicom.elements import PIXEL_DATA_TAGS
from converter.errors import ConversionError, TooLarge
from converter.identifying import identifying
from converter.letters import in_a_line
from converter.limits import LIMITS

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from pydicom import DataElement, Dataset

HIDDEN = "(hidden)"
_SHOWN_LETTERS = 200
_BINARY = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_INLINE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One data element.

    Attributes
    ----------
    path : str
        Where it lies: `(0028,0010)`, or `(0040,A730)[2](0040,A160)` in the second item of a sequence.
    keyword : str
        Keyword of PS3.6, or a private element's name in brackets.
    value : str
        Its value in words; what is binary or long is cut short.
    """

    path: str
    vr: str
    keyword: str
    value: str
    depth: int

    @property
    def json_key(self) -> str:
        """The key in DICOM JSON of the element, or of the outermost sequence that it lies in."""
        return self.path[1:5] + self.path[6:10]

    def matches(self, text: str) -> bool:
        """Whether the text is in path, keyword or value, whatever its case."""
        return text.lower() in f"{self.path} {self.keyword} {self.value}".lower()


def dataset(path: str | os.PathLike[str]) -> Dataset:
    """The file's elements without its pixels, meta information first, by pydicom.

    Raises
    ------
    NotDicomError
        Where it is no DICOM file.
    ConversionError
        Where it is damaged, or a deflated one grows beyond `LIMITS`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(path)
    except ConversionError as error:
        error.at(file=str(path))
        raise
    except RecursionError as error:
        raise TooLarge("sequences lie too deep in one another", file=str(path)) from error
    except OSError:
        raise
    except Exception as error:
        raise ConversionError(f"the file cannot be read ({error})", file=str(path)) from error


def _read(path: str | os.PathLike[str]) -> Dataset:
    """By pydicom: what `gurney convert` takes for DICOM, and of what is deflated no more than it would unpack."""
    import pydicom
    from pydicom.filereader import read_dataset

    parts = part10.deflated(path)
    if parts is None:
        return pydicom.dcmread(path, stop_before_pixels=True, force=True)
    meta, plain = parts
    found = read_dataset(io.BytesIO(plain), False, True, stop_when=lambda tag, _vr, _length: tag in PIXEL_DATA_TAGS)
    found.file_meta = pydicom.dcmread(io.BytesIO(meta), force=True).file_meta
    return found


def rows(found: Dataset, *, hide: bool = False) -> Iterator[Row]:
    """A row for each element, those in sequences after their sequence.

    Parameters
    ----------
    hide : bool
        Hide the values of elements that may tell who the patient is.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _rows(found.file_meta, "", 0, hide=hide)
        yield from _rows(found, "", 0, hide=hide)


def _rows(found: Dataset, above: str, depth: int, *, hide: bool) -> Iterator[Row]:
    if depth > LIMITS.nesting:
        raise TooLarge(f"sequences lie more than {LIMITS.nesting} deep")
    for tag in sorted(found.keys()):
        element = _element(found, tag)
        path = f"{above}({tag >> 16:04X},{tag & 0xFFFF:04X})"
        if isinstance(element, str):
            yield Row(path, "??", "", element, depth)
            continue
        keyword = element.keyword or f"[{element.name.strip('[]')}]"
        hidden = hide and identifying(int(tag), str(element.VR), keyword)
        yield Row(path, str(element.VR), keyword, HIDDEN if hidden else _words(element), depth)
        if element.VR == "SQ" and not hidden:
            for number, item in enumerate(element.value, 1):
                yield from _rows(item, f"{path}[{number}]", depth + 1, hide=hide)


def _element(found: Dataset, tag: Any) -> DataElement | str:
    """The decoded element, or what is wrong with it."""
    try:
        element: DataElement = found[tag]
    except RecursionError as error:
        raise TooLarge("sequences lie too deep in one another") from error
    except Exception as error:  # noqa: BLE001 - pydicom meets damage with many kinds of exception
        return f"(cannot be decoded: {error})"[:_SHOWN_LETTERS]
    return element


def _words(element: DataElement) -> str:
    value = element.value
    if element.VR == "SQ":
        return f"{len(value)} items"
    if element.VR in _BINARY or isinstance(value, bytes):
        return f"({len(value or b'')} bytes)"
    text = "\\".join(map(str, value)) if element.VM > 1 else str("" if value is None else value)
    text = in_a_line(text)
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}… ({len(text)} letters)"


def dicom_json(found: Dataset, *, hide: bool = False) -> dict[str, Any]:
    """The elements in the DICOM JSON model; binary values above 1 KiB are left out.

    Raises
    ------
    ConversionError
        Where an element cannot be decoded.

    References
    ----------
    PS3.18 annex F
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model: dict[str, Any] = found.to_json_dict(_INLINE_BYTES, lambda _: "", suppress_invalid_tags=True)
    except RecursionError as error:
        raise TooLarge("sequences lie too deep in one another") from error
    except Exception as error:
        raise ConversionError(f"the file cannot be written as JSON ({error})") from error
    return _without_identity(model) if hide else model


def _without_identity(model: dict[str, Any]) -> dict[str, Any]:
    from pydicom.datadict import keyword_for_tag

    kept: dict[str, Any] = {}
    for tag, content in model.items():
        if identifying(int(tag, 16), content["vr"], keyword_for_tag(tag)):
            kept[tag] = {"vr": content["vr"]}
        elif content["vr"] == "SQ":
            kept[tag] = {"vr": "SQ", "Value": [_without_identity(item) for item in content.get("Value", [])]}
        else:
            kept[tag] = content
    return kept
