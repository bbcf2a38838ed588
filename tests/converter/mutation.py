"""Files made wrong: blindly, and by someone who knows DICOM."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from converter.dicom import elements as el
from converter.dicom import part10, tags
from converter.errors import ConversionError
from tests.converter.building import SHIPPED, ct, file, image, item, packed

if TYPE_CHECKING:
    from pathlib import Path

    from converter.dicom.elements import Element

Mutator = Callable[[bytes, random.Random], bytes]

_LENGTHS = (0, 1, 2, 3, 7, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_WORDS = (0, 1, 2, 3, 7, 8, 9, 12, 15, 16, 17, 31, 32, 64, 255, 256, 1000, 4096, 32767, 32768, 65534, 65535)
_NUMBERS = b"0 -1 1e308 -1e308 nan inf 1e-320 99999999999999 abc \\ \\\\\\".split()
_WORDS_OF_DICOM = b"MONOCHROME1 PALETTE_COLOR YBR_FULL_422 YBR_ICT RGB SIGMOID LINEAR_EXACT FRACTIONAL INVERSE".split()
_NAMES = (b"", b"..", b"../../../tmp/x", b"con", b"\0", b"\x1b$B", b"\xff\xfe", b"a" * 3000)
_TEXTS = (*_NUMBERS, *_WORDS_OF_DICOM, *_NAMES)
_SYNTAXES = [
    "",
    ".1",
    ".2",
    ".5",
    ".1.98",
    ".1.99",
    ".4.50",
    ".4.51",
    ".4.57",
    ".4.70",
    ".4.80",
    ".4.90",
    ".4.91",
    ".4.110",
    ".4.201",
    ".8.1",
    ".4.100",
    ".4.94",
    ".9",
]
_DECISIVE_GROUPS = (0x0028, 0x0062, 0x5200, 0x7FE0)
_DECISIVE = [tag for tag in vars(tags).values() if isinstance(tag, tags.Tag) and tag >> 16 in _DECISIVE_GROUPS]


def corpus() -> list[bytes]:
    """Small files of every kind that there is a branch for."""
    shipped = [path.read_bytes() for path in sorted(SHIPPED.glob("*.dcm")) if path.stat().st_size < 45_000]
    return shipped + _built()


def _built() -> list[bytes]:
    voi = item(FrameVOILUTSequence=[item(WindowCenter="100", WindowWidth="300")])
    lut = item(LUTDescriptor=[16, 0, 12])
    lut.add_new(0x00283006, "US", list(range(0, 4096, 256)))
    cells = list(range(0, 2400, 100))
    palette = image(bytes(range(24)), 4, 6, PhotometricInterpretation="PALETTE COLOR", BitsAllocated=8, BitsStored=8)
    for name in ("Red", "Green", "Blue"):
        setattr(palette, f"{name}PaletteColorLookupTableDescriptor", [12, 0, 16])
        setattr(palette, f"Segmented{name}PaletteColorLookupTableData", packed([0, 2, 1, 9, 1, 4, 60000, 2, 2, 0, 0]))
    overlaid = image(packed(cells), 4, 6)
    plane = {0x10: ("US", 3), 0x11: ("US", 5), 0x50: ("SS", [1, 1]), 0x102: ("US", 0), 0x3000: ("OW", b"\xaa\x55")}
    for number, (vr, value) in plane.items():
        overlaid.add_new(0x6000 << 16 | number, vr, value)
    floats = packed([n / 7 for n in range(24)], code="f")
    return [
        ct(),
        ct(2, frames=5),
        file(image(packed(cells), 4, 6), "1.2.840.10008.1.2.1.99"),
        file(image(packed(cells * 3), 4, 6, NumberOfFrames=3, PerFrameFunctionalGroupsSequence=[voi] * 3)),
        file(image(packed(cells), 4, 6, VOILUTSequence=[lut], ModalityLUTSequence=[lut])),
        file(palette, vr="OB"),
        file(overlaid),
        file(image(b"", 4, 6, FloatPixelData=floats, BitsAllocated=32, BitsStored=None, HighBit=None)),
        file(image(b"\xaa" * 12, 4, 6, NumberOfFrames=4, BitsAllocated=1, BitsStored=1), vr="OB"),
    ]


def mutated(files: list[bytes], seed: int) -> bytes:
    """One wrong file; the same for the same seed."""
    chance = random.Random(seed)
    content = chance.choice(files)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        content = chance.choice(_BLIND if chance.random() < 0.4 else _KNOWING)(content, chance) or content
    return content


# --- without knowledge


def _flip(content: bytes, chance: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 2, 8, 64))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut_off(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(1, len(content) + 1)]


def _overwrite(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    filler = chance.choice((b"\0", b"\xff", b"\xfe\xff\x00\xe0", b"\xff\xd8", chance.randbytes(5)))
    length = chance.choice((1, 2, 4, 16, 300))
    return content[:start] + (filler * length)[:length] + content[start + length :]


def _double(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    piece = content[start : start + chance.choice((1, 8, 100, 2000))]
    return content[:start] + piece * chance.choice((2, 3, 10)) + content[start:]


def _remove(content: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    return content[:start] + content[start + chance.choice((1, 2, 8, 500)) :]


_BLIND: tuple[Mutator, ...] = (_flip, _cut_off, _overwrite, _double, _remove)


# --- with knowledge


def _found(content: bytes) -> dict[int, Element]:
    try:
        opened = part10.read(content)
    except ConversionError:
        return {}
    if opened.syntax.deflated:
        return {}
    elements = {tag: header.element(tag) for header in (opened.meta, opened.header) for tag in header.places}
    return {tag: element for tag, element in elements.items() if element}


def _some(content: bytes, chance: random.Random) -> tuple[int, Element] | None:
    """An element of the file; more often one that decides how pixels are read."""
    found = _found(content)
    decisive = [tag for tag in _DECISIVE if tag in found]
    among = decisive if decisive and chance.random() < 0.7 else sorted(found)
    if not among:
        return None
    tag = chance.choice(among)
    return tag, found[tag]


def _wrong_length(content: bytes, chance: random.Random) -> bytes:
    some = _some(content, chance)
    if some is None:
        return content
    _, element = some
    wide = element.vr in el.LONG_VRS or not element.vr
    code, size = ("<L", 4) if wide else ("<H", 2)
    length = chance.choice([length for length in _LENGTHS if length < 1 << 8 * size])
    return content[: element.offset - size] + struct.pack(code, length) + content[element.offset :]


def _wrong_value(content: bytes, chance: random.Random) -> bytes:
    some = _some(content, chance)
    if some is None or some[1].length == el.UNDEFINED:
        return content
    _, element = some
    if element.vr in (b"US", b"SS", b"OW", b""):
        value = b"".join(struct.pack("<H", chance.choice(_WORDS)) for _ in range(max(1, min(element.length, 8) // 2)))
    else:
        value = chance.choice(_TEXTS)
    value = value.ljust(element.length)[: element.length]
    return content[: element.offset] + value + content[element.offset + element.length :]


def _longer_value(content: bytes, chance: random.Random) -> bytes:
    some = _some(content, chance)
    if some is None or some[1].vr not in el.SHORT_VRS:
        return content
    _, element = some
    value = chance.choice(_TEXTS)
    value += b" " * (len(value) % 2)
    head = content[: element.offset - 2] + struct.pack("<H", len(value))
    return head + value + content[element.offset + element.length :]


def _wrong_vr(content: bytes, chance: random.Random) -> bytes:
    some = _some(content, chance)
    if some is None or not some[1].vr:
        return content
    _, element = some
    at = element.offset - (8 if element.vr in el.LONG_VRS else 4)
    vr = chance.choice([*sorted(el.LONG_VRS | el.SHORT_VRS), b"??", b"\0\0"])
    return content[:at] + vr + content[at + 2 :]


def _missing(content: bytes, chance: random.Random) -> bytes:
    some = _some(content, chance)
    if some is None or some[1].length == el.UNDEFINED:
        return content
    _, element = some
    start = element.offset - (12 if element.vr in el.LONG_VRS else 8)
    return content[:start] + content[element.offset + element.length :]


def _another_syntax(content: bytes, chance: random.Random) -> bytes:
    element = _found(content).get(tags.TRANSFER_SYNTAX_UID)
    if element is None:
        return content
    uid = ("1.2.840.10008.1.2" + chance.choice(_SYNTAXES)).encode()
    uid += b"\0" * (len(uid) % 2)
    head = content[: element.offset - 2] + struct.pack("<H", len(uid))
    return head + uid + content[element.offset + element.length :]


def _nested(content: bytes, chance: random.Random) -> bytes:
    """A sequence within a sequence, many times, of defined or undefined length, before the first element."""
    found = _found(content)
    first = min((element.offset for tag, element in found.items() if tag >> 16 > 2), default=0)
    depth = chance.choice((3, 60, 70, 500, 5000))
    opening = b"\x40\x00\x30\xa7SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * depth
    closing = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0" * chance.choice((0, depth // 2, depth))
    return content[: max(first - 8, 0)] + opening + closing + content[max(first - 8, 0) :]


def _spliced(content: bytes, chance: random.Random) -> bytes:
    """The pixels of another file under this file's header."""
    element = next((found for tag, found in _found(content).items() if tag >> 16 == 0x7FE0), None)
    if element is None:
        return content
    other = ct(3, frames=chance.choice((1, 3)))
    return content[: element.offset] + other[-chance.randrange(1, 400) :]


_KNOWING: tuple[Mutator, ...] = (
    _wrong_length,
    _wrong_value,
    _wrong_value,
    _wrong_value,
    _longer_value,
    _wrong_vr,
    _missing,
    _another_syntax,
    _nested,
    _spliced,
)


def write_mutated(folder: Path, seeds: range, files: list[bytes] | None = None) -> None:
    """Write the files of some seeds, each named by its seed."""
    folder.mkdir(parents=True, exist_ok=True)
    files = files or corpus()
    for seed in seeds:
        (folder / f"{seed}.dcm").write_bytes(mutated(files, seed))
