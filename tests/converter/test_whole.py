"""Files that were cut off, and files that are whole."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from converter.dicom.part10 import begins_as_dicom, read
from converter.dicom.whole import check_whole
from converter.errors import ConversionError

#: Plain, big endian, JPEG in fragments, JPEG 2000, RLE with frames, and deflated.
NAMES = (
    "CT_small.dcm",
    "MR_small_bigendian.dcm",
    "JPEG-lossy.dcm",
    "JPEG2000.dcm",
    "SC_rgb_rle_2frame.dcm",
    "image_dfl.dcm",
)


def sample(name: str) -> bytes:
    """One of pydicom's test files."""
    return Path(str(get_testdata_file(name))).read_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_only_a_whole_file_is_whole(name: str, tmp_path: Path) -> None:
    content = sample(name)
    path = tmp_path / name
    path.write_bytes(content)
    check_whole(path)
    path.write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(ConversionError, match="cut off"):
        check_whole(path)


def test_a_forgotten_padding_byte_is_not_missed(tmp_path: Path) -> None:
    content = sample("MR_small.dcm")
    _, pixels = read(content).pixels or (0, None)
    assert pixels is not None
    path, end = tmp_path / "odd", pixels.offset + pixels.length
    path.write_bytes(content[: end - 1])
    check_whole(path)
    path.write_bytes(content[: end - 2])
    with pytest.raises(ConversionError, match="cut off"):
        check_whole(path)


def test_the_first_bytes_tell_what_cannot_be_dicom() -> None:
    assert not begins_as_dicom(b"MZ" + bytes(4000))
    assert not begins_as_dicom(b"")
    assert not begins_as_dicom(zlib.compress(bytes(100)))
    assert begins_as_dicom(bytes(128) + b"DICM")
    assert begins_as_dicom(b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100")
