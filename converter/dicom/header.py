"""A dataset whose elements are decoded when they are asked for."""

from __future__ import annotations

import struct
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, TypeVar

from converter.dicom import elements as el
from converter.dicom.charset import PLAIN, Charset
from converter.dicom.elements import Buffer, Element, Encoding
from converter.dicom.tags import PIXEL_REPRESENTATION, SPECIFIC_CHARACTER_SET, Tag
from converter.dicom.values import CODED_TEXT, PADDING, Value, values
from converter.errors import ConversionError, TooLarge
from converter.limits import LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

# What is derived of so much and no more is kept, so that a thousand of them have a few MiB.
_KEPT_BYTES = 4096
# UV is the widest integer of PS3.5 6.2; an IS as 1e300 or an FD may be more.
_INTEGERS_END = 1 << 64


class Header:
    """One dataset, or one item of a sequence, over the bytes of its file.

    Parameters
    ----------
    data : bytes or mmap
        The file, or what a deflated file inflates to.
    places : dict
        Tag to where its element begins, as `converter.dicom.elements.index` makes it.
    encoding : Encoding
        How the elements are written.
    charset : Charset, optional
        The character set that an item inherits.
    signed : bool
        The signedness that an item inherits.
    depth : int
        How many sequences an item lies in.
    """

    def __init__(
        self,
        data: Buffer,
        places: dict[int, int],
        encoding: Encoding,
        charset: Charset = PLAIN,
        *,
        signed: bool = False,
        depth: int = 0,
    ) -> None:
        self.data = data
        self.places = places
        self.encoding = encoding
        self.depth = depth
        self._charset = charset
        self._signed = signed
        self._items: dict[int, tuple[Header, ...]] = {}

    def __contains__(self, tag: int) -> bool:
        return tag in self.places

    def element(self, tag: int) -> Element | None:
        """VR, place and length of an element, or None."""
        place = self.places.get(tag)
        return None if place is None else el.element_at(self.data, place, self.encoding)

    def raw(self, tag: int) -> bytes:
        """The value field as bytes; empty where the element is missing or of undefined length."""
        element = self.element(tag)
        return b"" if element is None else self._raw(element)

    def _raw(self, element: Element) -> bytes:
        if element.length == el.UNDEFINED:
            return b""
        return self.data[element.offset : element.offset + element.length]

    def values(self, tag: Tag) -> tuple[Value, ...]:
        """All values of an element; none where it is missing or empty.

        Raises
        ------
        ConversionError
            Where the bytes are not what the VR says.
        """
        element = self.element(tag)
        if element is None or element.length == 0:
            return ()
        try:
            vr = self._vr(tag, element)
            charset = self.charset if vr in CODED_TEXT else PLAIN
            return values(self._raw(element), vr, self.encoding.big_endian, charset)
        except (ValueError, OverflowError, struct.error) as error:
            raise ConversionError(f"{tag.keyword} holds no {tag.vr} value: {self.raw(tag)[:32]!r}", tag=tag) from error

    def number(self, tag: Tag) -> float | None:
        """The first value as a number, or None."""
        found = self.numbers(tag) if tag in self.places else ()
        return found[0] if found else None

    def numbers(self, tag: Tag) -> tuple[float, ...]:
        """All values that are numbers; empty ones among them are left out.

        Raises
        ------
        ConversionError
            Where the element holds text.
        """
        found = self.values(tag)
        if len(found) == 1 and found[0].__class__ in (int, float):  # nine in ten
            return found  # type: ignore[return-value]  # as just looked at
        return tuple(_number(value, tag) for value in found if value not in ("", b""))

    def integer(self, tag: Tag) -> int | None:
        """The first value as an integer, or None.

        Raises
        ------
        ConversionError
            Where it is text, or more than any integer of DICOM holds.
        """
        element = self.element(tag)
        if element is None:
            return None
        if element.vr == b"US" and element.length == 2:  # most of the Image Pixel module
            return int.from_bytes(self._raw(element), "big" if self.encoding.big_endian else "little")
        value = self.number(tag)
        if value is None or value != value or abs(value) == float("inf"):
            return None
        if abs(value) >= _INTEGERS_END:
            raise ConversionError(f"{tag.keyword} is out of range: {float(value):g}", tag=tag)
        return int(value)

    def text(self, tag: Tag) -> str:
        """The first value as text; empty where there is none."""
        raw = self.raw(tag)
        if raw.isascii() and b"\\" not in raw and b"\x1b" not in raw:  # nine in ten
            return raw.decode("ascii").strip(PADDING)
        found = self.values(tag)
        return str(found[0]) if found else ""

    def texts(self, tag: Tag) -> tuple[str, ...]:
        """All values as text."""
        return tuple(map(str, self.values(tag)))

    def items(self, tag: int) -> tuple[Header, ...]:
        """Items of a sequence; none where the element is missing.

        Raises
        ------
        TooLarge
            Where items lie deeper than `LIMITS.nesting`.
        """
        element = self.element(tag)
        if element is None:
            return ()
        if tag not in self._items:
            self._items[tag] = tuple(self._read_items(element))
        return self._items[tag]

    def first_item(self, tag: int) -> Header | None:
        """The first item of a sequence, or None."""
        return next(iter(self.items(tag)), None)

    def derived(self, wanted: Iterable[int], work: Callable[[Header], T]) -> T:
        """What `work` makes of these elements alone: made once where they are written the same, as in a series.

        Parameters
        ----------
        wanted : iterable of int
            Tags of all that `work` looks at; elements of undefined length are left out.
        """
        parts = []
        for tag in wanted:
            element = self.element(tag)
            if element and element.length != el.UNDEFINED:
                parts.append(self.data[self.places[tag] : element.offset + element.length])
        excerpt = b"".join(parts)
        return (_kept if len(excerpt) <= _KEPT_BYTES else _derived)(excerpt, self.encoding, self._charset, work)

    @cached_property
    def charset(self) -> Charset:
        """Specific character set, the inherited one where the item names none (PS3.3 C.12.1.1.2)."""
        if SPECIFIC_CHARACTER_SET in self.places:
            raw = self.raw(SPECIFIC_CHARACTER_SET).decode("latin-1")
            return Charset(tuple(term.strip(" \0") for term in raw.split("\\")))
        return self._charset

    def _read_items(self, element: Element) -> Iterator[Header]:
        if self.depth >= LIMITS.nesting:
            raise TooLarge(f"sequences lie more than {LIMITS.nesting} deep")
        encoding = el.inner_encoding(element) if element.length == el.UNDEFINED else element.encoding
        for start, end in el.items(self.data, element):
            seen = _seen(self.data, start, end, encoding)
            places = el.index(self.data, start, end, seen)
            yield Header(self.data, places, seen, self.charset, signed=self.signed, depth=self.depth + 1)

    def _vr(self, tag: Tag, element: Element) -> str:
        if element.vr in (b"", b"UN"):
            return self._ambiguous(tag.vr)
        vr = element.vr.decode("ascii")
        # LUT data and such written as OB/OW where numbers are meant: the dictionary's VR tells.
        return self._ambiguous(tag.vr) if vr in ("OB", "OW") else vr

    def _ambiguous(self, vr: str) -> str:
        return vr if vr != "XS" else ("SS" if self.signed else "US")

    @cached_property
    def signed(self) -> bool:
        """Whether US-or-SS elements without a VR of their own are signed (PS3.5 A.1)."""
        if PIXEL_REPRESENTATION in self.places:
            return self.raw(PIXEL_REPRESENTATION)[:2] in (b"\x01\x00", b"\x00\x01")
        return self._signed


def _derived(excerpt: bytes, encoding: Encoding, charset: Charset, work: Callable[[Header], T]) -> T:
    return work(Header(excerpt, el.index(excerpt, 0, len(excerpt), encoding), encoding, charset))


_kept = lru_cache(maxsize=1024)(_derived)


def _number(value: Value, tag: Tag) -> float:
    try:
        return value if isinstance(value, int) else float(value)
    except ValueError as error:
        raise ConversionError(f"{tag.keyword} holds no number: {value!r}", tag=tag) from error


def _seen(data: Buffer, start: int, end: int, encoding: Encoding) -> Encoding:
    """The encoding, or explicit where the items of a UN element plainly are explicit."""
    if not encoding.implicit or start + 6 > end:
        return encoding
    vr = data[start + 4 : start + 6]
    length_as_text = vr in el.LONG_VRS or vr in el.SHORT_VRS
    return Encoding(implicit=False, big_endian=encoding.big_endian) if length_as_text else encoding
