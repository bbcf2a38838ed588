"""A DICOM file: its meta information, transfer syntax, dataset and where its pixels lie (PS3.10 7)."""

from __future__ import annotations

import mmap
import os
import stat
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from converter.dicom import elements as el
from converter.dicom.header import Header
from converter.dicom.syntaxes import EXPLICIT, IMPLICIT, TRANSFER_SYNTAXES, TransferSyntax, transfer_syntax
from converter.dicom.tags import TRANSFER_SYNTAX_UID
from converter.errors import ConversionError, NotDicomError, TooLarge
from converter.limits import LIMITS, MIB

if TYPE_CHECKING:
    from collections.abc import Callable

    from converter.dicom.elements import Buffer, Element, Encoding

    Unpack = Callable[[Buffer, int], bytes]

# Below this a file is read at once (one copy); above it is mapped, so that memory does not grow with the file.
MAPPED_FROM_BYTES = 4 * MIB

_META_GROUP = 0x0002
_FIRST_GROUPS = (0x0002, 0x0004, 0x0008, 0x0200, 0x0400, 0x0800)


@dataclass(frozen=True, slots=True)
class DicomFile:
    """A file whose header is indexed and whose pixels are still in place.

    Attributes
    ----------
    name : str
        What the source calls the file; used in messages.
    data : bytes or mmap
        All bytes that elements point into.
    warnings : tuple of str
        What was not as the standard says and was put right.
    """

    name: str
    data: Buffer
    meta: Header
    header: Header
    syntax: TransferSyntax
    warnings: tuple[str, ...] = ()

    @property
    def pixels(self) -> tuple[int, Element] | None:
        """Tag and element of the pixel data, or None."""
        tag = next(reversed(self.header.places), 0)  # the index ends at the pixel data
        element = self.header.element(tag) if tag in el.PIXEL_DATA_TAGS else None
        return None if element is None else (tag, element)


def read(
    source: str | os.PathLike[str] | bytes | BinaryIO, name: str | None = None, *, unpack: Unpack | None = None
) -> DicomFile:
    """Read a DICOM file's header, with or without preamble and meta information.

    Parameters
    ----------
    source : path, bytes or binary file
        A binary file is read to its end.
    name : str, optional
        Name for messages; the path by default.
    unpack : callable, optional
        Gives the dataset of a deflated file, or as much of it as the caller needs, from the file's bytes and where the
        deflated ones begin; all of it by default.

    Raises
    ------
    NotDicomError
        Where it is no DICOM file.
    ConversionError
        Where it is one that is damaged or cannot be read.

    References
    ----------
    PS3.10 7.1
    """
    name = name or _name_of(source)
    try:
        return _parsed(name, _bytes_of(source), unpack or _inflated_from)
    except ConversionError as error:
        error.at(file=name)
        raise
    except OSError as error:
        raise ConversionError(f"the file cannot be read ({error.strerror or error})", file=name) from error
    except (struct.error, IndexError) as error:
        raise ConversionError("the file ends within an element; it was cut off", file=name) from error


def _name_of(source: object) -> str:
    return str(source) if isinstance(source, str | os.PathLike) else str(getattr(source, "name", "<bytes>"))


def _bytes_of(source: str | os.PathLike[str] | bytes | BinaryIO) -> Buffer:
    if isinstance(source, bytes):
        return source
    if isinstance(source, str | os.PathLike):
        return _file_bytes(source)
    return source.read()


def _file_bytes(path: str | os.PathLike[str]) -> Buffer:
    """The file's bytes; a FIFO or device is refused rather than waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotDicomError("this is no regular file")
        if status.st_size < MAPPED_FROM_BYTES:
            return os.read(descriptor, status.st_size)
        return mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
    finally:
        os.close(descriptor)


def _parsed(name: str, data: Buffer, unpack: Unpack) -> DicomFile:
    start, places = _meta(data)
    meta = Header(data, places, EXPLICIT)
    uid = meta.text(TRANSFER_SYNTAX_UID)
    warnings: list[str] = []
    if not uid:
        warnings.append("no transfer syntax is given; it was guessed from the first element")
    syntax = transfer_syntax(uid) if uid else _guessed(data, start)
    if syntax.deflated:
        data, start = unpack(data, start), 0
    encoding = _seen_encoding(data, start, syntax.encoding)
    if encoding != syntax.encoding:
        warnings.append(f"the dataset is not written as {syntax.name} says; it was read as it is")
    header = Header(data, el.index(data, start, len(data), encoding), encoding)
    return DicomFile(name, data, meta, header, syntax, tuple(warnings))


def _meta(data: Buffer) -> tuple[int, dict[int, int]]:
    """Where the dataset starts, and where each group 0002 element does (PS3.10 7.1: always explicit little endian)."""
    position = 132 if data[128:132] == b"DICM" else 0
    if position == 0 and not _looks_like_dicom(data):
        raise NotDicomError("this is no DICOM file")
    places: dict[int, int] = {}
    while position + 8 <= len(data):
        element = el.element_at(data, position, EXPLICIT)
        if element.tag >> 16 != _META_GROUP:
            break
        if element.offset + element.length > len(data):
            raise ConversionError("the file ends within its meta information", tag=element.tag)
        places[element.tag] = position
        position = element.offset + element.length
    return position, places


def begins_as_dicom(start: bytes) -> bool:
    """Whether a file may be DICOM whose first bytes (4096 of them, or all) are these."""
    return start[128:132] == b"DICM" or _looks_like_dicom(start)


def _looks_like_dicom(data: Buffer) -> bool:
    if len(data) < 8:
        return False
    group, _, vr = struct.unpack_from("<HH2s", data)
    known = vr in el.SHORT_VRS or vr in el.LONG_VRS
    return group in _FIRST_GROUPS and (known or (struct.unpack_from("<L", data, 4)[0] < min(len(data), 4096)))


def _guessed(data: Buffer, start: int) -> TransferSyntax:
    """The uncompressed transfer syntax that the first element looks like."""
    if len(data) < start + 8:
        return TRANSFER_SYNTAXES["1.2.840.10008.1.2"]
    group, _, vr = struct.unpack_from("<HH2s", data, start)
    if vr not in el.SHORT_VRS and vr not in el.LONG_VRS:
        return TRANSFER_SYNTAXES["1.2.840.10008.1.2"]
    # Groups below 0x0100 read with the wrong byte order are 0x0100 and above; the first is 0x0008 or near it.
    return TRANSFER_SYNTAXES["1.2.840.10008.1.2.2" if group >= 0x0100 else "1.2.840.10008.1.2.1"]


def _seen_encoding(data: Buffer, start: int, stated: Encoding) -> Encoding:
    """Explicit or implicit VR as the first element shows it, whatever the transfer syntax says."""
    vr = data[start + 4 : start + 6]
    explicit = vr in el.SHORT_VRS or vr in el.LONG_VRS
    if stated.implicit and explicit:
        return EXPLICIT
    return IMPLICIT if not explicit and not stated.implicit and not stated.big_endian and len(vr) == 2 else stated


def deflated(path: str | os.PathLike[str]) -> tuple[bytes, bytes] | None:
    """Meta information and dataset of a deflated file, within bounds; None of any other DICOM file.

    Raises
    ------
    NotDicomError
        Where it is no DICOM file.
    ConversionError
        Where it is damaged, or grows beyond `LIMITS`.
    """
    data = _file_bytes(path)
    start, places = _meta(data)
    known = TRANSFER_SYNTAXES.get(Header(data, places, EXPLICIT).text(TRANSFER_SYNTAX_UID))
    return (data[:start], inflated(data[start:])) if known and known.deflated else None


def _inflated_from(data: Buffer, start: int) -> bytes:
    return inflated(data[start:])


def inflated(packed: bytes) -> bytes:
    """The dataset of a deflated file.

    Raises
    ------
    TooLarge
        Where it grows beyond `LIMITS`, as a decompression bomb does.

    References
    ----------
    PS3.5 A.5; RFC 1951
    """
    allowed = min(LIMITS.inflated_bytes, max(LIMITS.inflated_floor_bytes, len(packed) * LIMITS.inflated_ratio))
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = unpacker.decompress(packed, allowed)
    except zlib.error as error:
        raise ConversionError(f"the deflated dataset is damaged ({error})") from error
    if unpacker.unconsumed_tail:
        raise TooLarge(f"the deflated dataset is larger than {allowed // MIB} MiB once it is unpacked")
    return plain
