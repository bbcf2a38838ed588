"""What the bytes of a value mean, by value representation (PS3.5 6.2)."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from converter.dicom.charset import Charset

Value = int | float | str | bytes

# What fills a text up to an even length, and what writers leave around it besides.
PADDING = " \0\r\n\t"

_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d", "UV": "Q", "SV": "q", "OV": "Q"}
# Text in the dataset's character set; all other text is ASCII.
CODED_TEXT = frozenset({"LO", "LT", "PN", "SH", "ST", "UC", "UT"})
_ONE_TEXT = frozenset({"LT", "ST", "UT", "UR"})
# Slices of a series say the same of their pixels; what short texts mean is kept.
_KEPT_BYTES = 64
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OW", "UN", "SQ"})


def values(raw: bytes, vr: str, big_endian: bool, charset: Charset) -> tuple[Value, ...]:
    """The values of one element.

    Parameters
    ----------
    raw : bytes
        The value field as it lies in the file.
    vr : str
        Value representation; an unknown one gives text.
    big_endian : bool
        Byte order of binary numbers.
    charset : Charset
        Specific character set of the dataset.

    Raises
    ------
    ValueError
        Where a number string holds no number.
    """
    if vr in _NUMBERS:
        return numbers(raw, _NUMBERS[vr], big_endian)
    if vr in _BYTES:
        return (raw,)
    if vr in CODED_TEXT:
        return split(charset.text(raw), vr)
    return (_kept if len(raw) <= _KEPT_BYTES else _read)(raw, vr)


def numbers(raw: bytes, code: str, big_endian: bool) -> tuple[int | float, ...]:
    """Binary numbers; bytes left over at the end are ignored."""
    count = len(raw) // struct.calcsize("=" + code)
    return struct.unpack_from((">" if big_endian else "<") + code * min(count, 1 << 20), raw)


def split(text: str, vr: str) -> tuple[str, ...]:
    """Values of a text without their padding; an empty element has none."""
    if vr in _ONE_TEXT:
        return (text.rstrip(" \0"),) if text.strip(" \0") else ()
    parts = [part.strip(PADDING) for part in text.split("\\")]
    return tuple(parts) if any(parts) else ()


def _integer(text: str) -> Value:
    """An integer string; some writers put a decimal point, and an empty one among others stays empty."""
    if text.lstrip("+-").isdecimal():
        return int(text[:12])
    return int(float(text)) if text else ""


def _real(text: str) -> Value:
    """A decimal string; some writers put a comma."""
    return float(text[:64].replace(",", ".")) if text else ""


def _read(raw: bytes, vr: str) -> tuple[Value, ...]:
    return tuple(map(_PARSE.get(vr, str), split(raw.decode("latin-1"), vr)))


_kept = lru_cache(maxsize=1024)(_read)

_PARSE: dict[str, Callable[[str], Value]] = {"IS": _integer, "DS": _real}
