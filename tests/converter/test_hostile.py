"""Files made to do harm: refused within bounds, and a thousand mutated ones on top."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import pytest

import converter
from converter.dicom import part10
from converter.errors import ConversionError, TooLarge
from converter.limits import LIMITS
from converter.pixels import jpeg_xl
from tests.converter.building import ct, encapsulated, file, image, packed
from tests.converter.fuzz import faults
from tests.converter.mutated_states import state_faults

if TYPE_CHECKING:
    from pathlib import Path

ROOT = "1.2.840.10008.1.2."


@pytest.mark.parametrize("first", [0, 250, 500, 750])
def test_mutated_files_are_told_and_do_no_harm(first: int, tmp_path: Path) -> None:
    """A quarter of a thousand each; `python tests/converter/fuzz.py` does 20,000."""
    found, kinds = faults(tmp_path, range(first, first + 250))
    assert found == []
    assert kinds["Picture"] > 30


def test_mutated_presentation_states_are_applied_or_refused(tmp_path: Path) -> None:
    assert state_faults(tmp_path, range(500)) == []


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"Rows": 65535, "Columns": 65535}, "are more than 268435456"),
        ({"NumberOfFrames": 2000000}, "2000000 frames are more than the 1000000 allowed"),
        ({"NumberOfFrames": -1}, "there cannot be -1 frames"),
        ({"Rows": 0}, "no rows"),
        ({"BitsAllocated": 24}, "cells of 24 bits"),
        ({"BitsStored": 17, "HighBit": 16}, "17 of 16 bits"),
        ({"BitsStored": 12, "HighBit": 3}, "cannot end at bit 3"),
        ({"SamplesPerPixel": 3}, "MONOCHROME2 cannot have 3 samples"),
        ({"PhotometricInterpretation": "HSV"}, "is not a way to show pixels"),
        ({"PhotometricInterpretation": "CMYK", "SamplesPerPixel": 4}, "is not a way to show pixels"),
    ],
)
def test_absurd_images_are_refused_before_memory_is_taken(attributes: dict[str, object], reason: str) -> None:
    merged = {"Rows": 2, "Columns": 2, **attributes}
    content = file(image(packed([1, 2, 3, 4]), merged.pop("Rows"), merged.pop("Columns"), **merged))  # type: ignore[arg-type]  # numbers
    with pytest.raises(ConversionError, match=reason) as refused:
        converter.open(content, "bad.dcm")
    assert refused.value.file == "bad.dcm"
    assert refused.value.tag


def test_a_compressed_picture_of_another_size_is_refused_before_it_is_decoded() -> None:
    """A stream may claim 65535 x 65535 in 600 bytes."""
    import numpy as np
    from imagecodecs import jpeg2k_encode, jpegls_encode

    frame = np.zeros((8, 8), np.uint16)
    streams = {"4.80": jpegls_encode(frame), "4.90": jpeg2k_encode(frame, level=0, codecformat="j2k", reversible=True)}
    for syntax, stream in streams.items():
        grown = bytearray(stream)
        if syntax == "4.80":
            at = stream.index(b"\xff\xf7") + 5
            grown[at : at + 4] = struct.pack(">HH", 65535, 65535)
        else:
            at = stream.index(b"\xff\x51") + 6
            grown[at : at + 8] = struct.pack(">LL", 0x7FFFFFFF, 0x7FFFFFFF)

        content = encapsulated([bytes(grown)], ROOT + syntax, rows=8, columns=8)
        with pytest.raises(TooLarge, match="the header says 8 x 8, the compressed picture is"):
            converter.open(content).frame(1)


@pytest.mark.parametrize("container", [False, True])
@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (8, 8),
        (16, 8),
        (1, 1),
        (256, 256),
        (255, 257),
        (100, 120),
        (480, 640),
        (90, 160),
        (7, 9000),
        (1, 70000),
        (60, 40),
    ],
)
def test_the_size_of_a_jpeg_xl_picture_is_known_before_it_is_decoded(rows: int, columns: int, container: bool) -> None:
    import numpy as np
    from imagecodecs import jpegxl_encode

    stream = bytes(jpegxl_encode(np.zeros((rows, columns), np.uint8), lossless=True, effort=1, usecontainer=container))
    assert jpeg_xl.size(stream) == (rows, columns)


def test_a_jpeg_xl_picture_that_claims_to_be_huge_is_refused_before_it_is_decoded() -> None:
    huge = (0 | 3 << 1 | ((1 << 30) - 1) << 3 | 1 << 33).to_bytes(10, "little")  # 2**30 rows, as many columns
    content = encapsulated([b"\xff\x0a" + huge + b"\0" * 20], ROOT + "4.201", rows=8, columns=8)
    content = content.replace(b"1.2.840.10008.1.2.4.201", b"1.2.840.10008.1.2.4.110")  # which pydicom does not name
    with pytest.raises(TooLarge, match="the header says 8 x 8, the compressed picture is 1073741824 x 1073741824"):
        converter.open(content).frame(1)
    assert jpeg_xl.size(b"\xff\x0a") is None
    assert jpeg_xl.size(b"\0\0\0\x0cJXL \r\n\x87\n" + b"\0\0\0\x00free" * 9) is None


@pytest.mark.parametrize("depth", [70, 5000, 200_000])
@pytest.mark.parametrize("closed", [False, True])
def test_sequences_without_end_do_not_recurse(depth: int, closed: bool) -> None:
    opening = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * depth
    content = ct()
    place = content.index(b"\x08\x00\x16\x00UI")
    began = time.process_time()
    with pytest.raises(TooLarge, match=f"more than {LIMITS.nesting} deep"):
        part10.read(content[:place] + opening + (closing if closed else b"") + content[place:])
    assert time.process_time() - began < 1


def test_a_file_of_nothing_but_small_elements_is_read_in_time() -> None:
    content = ct()
    place = content.index(b"\x08\x00\x16\x00UI")
    filler = b"\x08\x00\x14\x00UI\0\0" * 500_000
    began = time.process_time()
    converter.open(content[:place] + filler + content[place:])
    assert time.process_time() - began < 3


def test_elements_that_overlap_the_end_are_refused() -> None:
    content = ct()
    place = content.index(b"\x10\x00\x10\x00PN") + 6
    with pytest.raises(ConversionError, match=r"\(0010,0010\): the file ends within this element"):
        part10.read(content[:place] + b"\xff\xff" + content[place + 2 :])


@pytest.mark.parametrize("content", [b"", b"D", b"DICM", b"\0" * 128 + b"DICM", b"\0" * 132, b"\x08\0\x05\0"])
def test_almost_nothing_is_no_image(content: bytes) -> None:
    with pytest.raises(ConversionError):
        converter.open(content)
