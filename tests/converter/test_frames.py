"""Frames: where they lie, what holds for each, and what happens when some are missing."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from imagecodecs import (
    htj2k_encode,
    jpeg2k_encode,
    jpeg8_encode,
    jpegls_encode,
    jpegxl_encode,
    ljpeg_encode,
)
from pydicom.encaps import encapsulate_extended

import converter
from converter.errors import ConversionError
from tests.converter.building import encapsulated, file, image
from tests.converter.syntaxes import HTJ2K, J2K, JPEG, JPEG_LS, JPEG_XL, LOSSLESS, RLE, ROOT, rle

FRAMES = [np.arange(n, n + 60, dtype=np.uint16).reshape(6, 10) * 7 for n in (0, 100, 200)]


def stored(content: bytes) -> list[np.ndarray[Any, Any]]:
    return [frame.stored for frame in converter.frames(converter.open(content))]


# --- every codec, lossless ones exactly

LOSSLESS_CODECS = {
    "RLE": (RLE, rle),
    "JPEG 2000": (J2K, lambda frame: jpeg2k_encode(frame, level=0, reversible=True, codecformat="j2k")),
    "JPEG-LS": (JPEG_LS, jpegls_encode),
    "JPEG lossless": (LOSSLESS, lambda frame: ljpeg_encode(frame, bitspersample=16)),
    "HTJ2K": (HTJ2K, lambda frame: htj2k_encode(frame, reversible=True)),
    "JPEG XL": (JPEG_XL, lambda frame: jpegxl_encode(frame, lossless=True)),
    "encapsulated uncompressed": (f"{ROOT}1.98", lambda frame: frame.tobytes()),
}


@pytest.mark.parametrize("name", LOSSLESS_CODECS)
def test_lossless_codecs_give_back_what_went_in(name: str) -> None:
    syntax, encode = LOSSLESS_CODECS[name]
    written = HTJ2K if syntax == JPEG_XL else syntax  # pydicom does not know JPEG XL yet
    content = encapsulated([encode(frame) for frame in FRAMES], written, rows=6, columns=10, NumberOfFrames=3)

    found = stored(content.replace(written.encode(), syntax.encode()))

    assert all((ours == theirs).all() for ours, theirs in zip(found, FRAMES, strict=True))


def test_deflated_frames() -> None:
    import zlib

    def deflated(frame: np.ndarray[Any, Any]) -> bytes:
        packer = zlib.compressobj(wbits=-15)
        return packer.compress(frame.tobytes()) + packer.flush()

    content = encapsulated([deflated(frame) for frame in FRAMES], J2K, rows=6, columns=10, NumberOfFrames=3)
    content = content.replace(J2K.encode(), f"{ROOT}8.1\0".encode())  # pydicom does not know this one yet
    assert all((ours == theirs).all() for ours, theirs in zip(stored(content), FRAMES, strict=True))


def test_rle_of_rgb_is_planar_whatever_the_header_says() -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    raw = [pixels[:, :, n].tobytes() for n in range(3)]
    segments = [bytes([19]) + plane + b"\0" for plane in raw]
    stream = struct.pack("<16L", 3, 64, 64 + 22, 64 + 44, *[0] * 12) + b"".join(segments)
    for planar in (0, 1):
        content = encapsulated([stream], RLE, rows=4, columns=5, SamplesPerPixel=3, PlanarConfiguration=planar,
                               PhotometricInterpretation="RGB", BitsAllocated=8, BitsStored=8)  # fmt: skip
        assert (stored(content)[0] == pixels).all()


# --- what a JPEG stream says of its colours goes before what the header says

COLORS = np.zeros((16, 16, 3), np.uint8)
COLORS[:8, :, 0] = 200
COLORS[8:, :, 2] = 180


def jpeg(*, ycbcr: bool, marker: bytes = b"", identifiers: bytes | None = None) -> bytes:
    """A JPEG of COLORS without a JFIF segment, its markers and component identifiers as told."""
    space = "YCBCR" if ycbcr else "RGB"
    stream = jpeg8_encode(COLORS, level=98, colorspace="RGB", outcolorspace=space, subsampling="444")
    stream = _without(stream, (0xE0, 0xEE))
    if identifiers:
        at = stream.index(b"\xff\xc0") + 10
        for n in range(3):
            stream = stream[: at + 3 * n] + identifiers[n : n + 1] + stream[at + 3 * n + 1 :]
        scan = stream.index(b"\xff\xda") + 5
        for n in range(3):
            stream = stream[: scan + 2 * n] + identifiers[n : n + 1] + stream[scan + 2 * n + 1 :]
    return stream[:2] + marker + stream[2:]


def _without(stream: bytes, markers: tuple[int, ...]) -> bytes:
    kept, position = stream[:2], 2
    while stream[position + 1] != 0xDA:
        length = 2 + int.from_bytes(stream[position + 2 : position + 4])
        kept += b"" if stream[position + 1] in markers else stream[position : position + length]
        position += length
    return kept + stream[position:]


JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"
ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"


@pytest.mark.parametrize(
    ("stream", "photometric"),
    [
        (jpeg(ycbcr=True, marker=JFIF), "RGB"),
        (jpeg(ycbcr=True, marker=JFIF), "YBR_FULL_422"),
        (jpeg(ycbcr=True, marker=ADOBE + b"\1"), "RGB"),
        (jpeg(ycbcr=False, marker=ADOBE + b"\0"), "YBR_FULL_422"),
        (jpeg(ycbcr=False, identifiers=b"RGB"), "YBR_FULL"),
        (jpeg(ycbcr=False), "RGB"),
        (jpeg(ycbcr=True), "YBR_FULL"),
    ],
    ids=[
        "JFIF, says RGB",
        "JFIF",
        "Adobe 1, says RGB",
        "Adobe 0, says YBR",
        "named R G B, says YBR",
        "plain RGB",
        "plain YBR",
    ],
)
def test_jpeg_colors(stream: bytes, photometric: str) -> None:
    content = encapsulated(
        [stream + b"\0" * (len(stream) % 2)],
        JPEG,
        rows=16,
        columns=16,
        SamplesPerPixel=3,
        PhotometricInterpretation=photometric,
        PlanarConfiguration=0,
        BitsAllocated=8,
        BitsStored=8,
    )

    shown = converter.render(next(converter.frames(converter.open(content)))).pixels

    assert np.abs(shown[4, 4].astype(int) - COLORS[4, 4]).max() <= 6
    assert np.abs(shown[12, 12].astype(int) - COLORS[12, 12]).max() <= 6


def test_jpeg2000_whose_sign_contradicts_the_header() -> None:
    frame = np.array([[0, 1], [4095, 2048]], np.uint16)
    stream = jpeg2k_encode(frame, level=0, reversible=True, codecformat="j2k", bitspersample=12)
    content = encapsulated([stream], J2K, rows=2, columns=2, BitsStored=12, PixelRepresentation=1)
    assert stored(content)[0].tolist() == [[0, 1], [-1, -2048]]


# --- where frames lie: PS3.5 A.4


def test_fragments_without_a_table() -> None:
    content = encapsulated([rle(frame) for frame in FRAMES], RLE, table=False, rows=6, columns=10, NumberOfFrames=3)
    assert all((ours == theirs).all() for ours, theirs in zip(stored(content), FRAMES, strict=True))


def test_several_fragments_a_frame_by_a_table_or_by_their_start() -> None:
    streams = [jpegls_encode(frame) for frame in FRAMES]
    for table in (True, False):
        content = _in_pieces(streams, table=table)
        assert all((ours == theirs).all() for ours, theirs in zip(stored(content), FRAMES, strict=True))


def _in_pieces(streams: list[bytes], *, table: bool) -> bytes:
    from pydicom.encaps import encapsulate

    pixels = encapsulate(streams, fragments_per_frame=3, has_bot=table)
    return file(image(pixels, 6, 10, NumberOfFrames=3), JPEG_LS)


def test_one_frame_in_several_fragments() -> None:
    from pydicom.encaps import encapsulate

    pixels = encapsulate([jpegls_encode(FRAMES[0])], fragments_per_frame=4, has_bot=False)
    assert (stored(file(image(pixels, 6, 10), JPEG_LS))[0] == FRAMES[0]).all()


def test_extended_offset_table() -> None:
    pixels, offsets, lengths = encapsulate_extended([rle(frame) for frame in FRAMES])
    dataset = image(pixels, 6, 10, NumberOfFrames=3, ExtendedOffsetTable=offsets, ExtendedOffsetTableLengths=lengths)
    assert all((ours == theirs).all() for ours, theirs in zip(stored(file(dataset, RLE)), FRAMES, strict=True))


def test_an_offset_table_that_points_beside_the_fragments_is_not_believed() -> None:
    content = encapsulated([rle(frame) for frame in FRAMES], RLE, rows=6, columns=10, NumberOfFrames=3)
    table = content.index(b"\xfe\xff\x00\xe0\x0c\0\0\0") + 8
    broken = content[: table + 4] + struct.pack("<LL", 3, 5) + content[table + 12 :]
    assert all((ours == theirs).all() for ours, theirs in zip(stored(broken), FRAMES, strict=True))


def test_single_bits_run_on_from_frame_to_frame() -> None:
    # 3 frames of 3 x 3 single bits are 27 bits, not 3 x 2 bytes: PS3.5 8.1.1
    bits = [n * 7 % 3 == 0 for n in range(27)]
    raw = np.packbits(bits, bitorder="little").tobytes()
    dataset = image(raw, 3, 3, NumberOfFrames=3, BitsAllocated=1, BitsStored=1, HighBit=0)
    found = np.concatenate([frame.reshape(-1) for frame in stored(file(dataset, vr="OB"))])
    assert found.astype(bool).tolist() == bits


def test_odd_numbers_of_bytes() -> None:
    frames = [bytes(range(n, n + 15)) for n in (0, 50, 100)]
    dataset = image(b"".join(frames) + b"\0", 3, 5, NumberOfFrames=3, BitsAllocated=8, BitsStored=8)
    assert [frame.tobytes() for frame in map(np.uint8, stored(file(dataset, vr="OB")))] == frames


def test_odd_frames_in_big_endian_words() -> None:
    frames = [bytes(range(n, n + 15)) for n in (0, 50, 100)]
    plain = b"".join(frames) + b"\0"
    swapped = b"".join(plain[n : n + 2][::-1] for n in range(0, len(plain), 2))
    dataset = image(swapped, 3, 5, NumberOfFrames=3, BitsAllocated=8, BitsStored=8)
    assert [frame.tobytes() for frame in map(np.uint8, stored(file(dataset, f"{ROOT}2")))] == frames


# --- fewer frames than promised


@pytest.mark.parametrize("compressed", [False, True])
def test_frames_that_are_missing_are_named(compressed: bool) -> None:
    if compressed:
        content = encapsulated([rle(frame) for frame in FRAMES], RLE, rows=6, columns=10, NumberOfFrames=5)
    else:
        content = file(image(b"".join(frame.tobytes() for frame in FRAMES), 6, 10, NumberOfFrames=5))
    instance = converter.open(content, "half.dcm")
    assert (instance.frame(3).stored == FRAMES[2]).all()
    with pytest.raises(ConversionError, match=r"half.dcm: frame 4: "):
        instance.frame(4)


def test_a_last_frame_that_was_cut_off_is_refused() -> None:
    content = file(image(FRAMES[0].tobytes(), 6, 10))
    with pytest.raises(ConversionError, match="120 bytes are needed, 110 are there"):
        stored(content[:-10])


def test_a_frame_that_is_not_there() -> None:
    instance = converter.open(file(image(FRAMES[0].tobytes(), 6, 10)))
    for number in (0, 2, -1):
        with pytest.raises(ConversionError, match="the object has 1 frames"):
            instance.frame(number)
