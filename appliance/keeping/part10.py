"""The DICOM file around a data set: the meta information before it, and the data set found again behind that."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

#: PS3.7 D.3.3.2: who wrote the file meta information. A UUID's UID (PS3.5 B.2), made once for Gurney.
IMPLEMENTATION_CLASS_UID = "2.25.217337436193386094337093402413146563412"
IMPLEMENTATION_VERSION_NAME = "GURNEY_1"

_PREAMBLE = b"\0" * 128 + b"DICM"
_GROUP_LENGTH = struct.Struct("<HH2sHI")


def file_meta(sop_class_uid: str, sop_instance_uid: str, transfer_syntax_uid: str) -> bytes:
    """
    Preamble, prefix and file meta information of a file whose data set follows as it came over the network.

    References
    ----------
    PS3.10 7.1
    """
    elements = b"".join(
        (
            struct.pack("<HH2sHI2s", 2, 0x0001, b"OB", 0, 2, b"\x00\x01"),
            _element(0x0002, b"UI", sop_class_uid, b"\0"),
            _element(0x0003, b"UI", sop_instance_uid, b"\0"),
            _element(0x0010, b"UI", transfer_syntax_uid, b"\0"),
            _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID, b"\0"),
            _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME, b" "),
        )
    )
    return _PREAMBLE + _GROUP_LENGTH.pack(2, 0, b"UL", 4, len(elements)) + elements


def data_set_digest(path: Path) -> str:
    """The SHA-256 of a file's data set, whatever meta information stands before it."""
    with path.open("rb") as file:
        file.seek(data_set_offset(file))
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_set_offset(file: BinaryIO) -> int:
    """Where the data set begins; the file's start where its meta information has no length. The file is rewound."""
    head = file.read(len(_PREAMBLE) + _GROUP_LENGTH.size)
    file.seek(0)
    if len(head) < len(_PREAMBLE) + _GROUP_LENGTH.size:
        return 0
    group, number, vr, _, length = _GROUP_LENGTH.unpack_from(head, len(_PREAMBLE))
    return len(head) + int(length) if (group, number, vr) == (2, 0, b"UL") else 0


def _element(number: int, vr: bytes, text: str, padding: bytes) -> bytes:
    value = text.encode("ascii")
    value += padding * (len(value) % 2)
    return struct.pack("<HH2sH", 2, number, vr, len(value)) + value
