"""What a case of the gray chain is, and the cases of stored bits and windows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tests.converter.building import item
from tests.converter.reference import Gray

LE, IMPLICIT, BE, DEFLATED = (
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
CT_CELLS = [0, 1, 500, 984, 1023, 1024, 1025, 1063, 1064, 1065, 1100, 1263, 1264, 1265, 2000, 4095]
SIGNED_CELLS = [-32768, -2000, -1024, -161, -160, -159, 0, 1, 39, 40, 41, 239, 240, 241, 3071, 32767]
CT_RESCALE = {"RescaleSlope": "1", "RescaleIntercept": "-1024"}
CT_WINDOW = {"WindowCenter": "40", "WindowWidth": "400"}


def lut_item(first: int, entries: list[int], bits: int, *, data: Any = None, **more: Any) -> Any:
    """A LUT Sequence item."""
    found = item(LUTDescriptor=[len(entries) % 65536, first, bits], **more)
    found.add_new(0x00283006, "US" if data is None else "OW", entries if data is None else data)
    return found


@dataclass
class Case:
    """One object and what the reference says of it."""

    name: str
    cells: list[Any]
    gray: Gray
    attributes: dict[str, Any] = field(default_factory=dict)
    window: str = "file"
    syntax: str = LE
    source: str | None = None
    bits: int = 8
    code: str = ""
    warns: bool = False


WINDOWED = Gray(bits_stored=12, slope=1, intercept=-1024, window=(40, 400))
CT_ATTRIBUTES = {"BitsStored": 12, **CT_RESCALE, **CT_WINDOW}
SIGNED = Gray(signed=True, window=(40, 400))
SIGNED_ATTRIBUTES = {"PixelRepresentation": 1, **CT_WINDOW}


def ct(name: str, gray: dict[str, Any] | None = None, attributes: dict[str, Any] | None = None, **more: Any) -> Case:
    """A case that differs from an ordinary CT in the given ways."""
    merged = {key: value for key, value in {**CT_ATTRIBUTES, **(attributes or {})}.items() if value is not None}
    return Case(name, more.pop("cells", CT_CELLS), replace(WINDOWED, **(gray or {})), merged, **more)


VOI_ENTRIES = [0, 10, 40, 90, 160, 250, 1000, 4095]
EIGHT = list(range(0, 256, 17))

STORED_AND_WINDOWS = [
    # --- bits and signs: PS3.5 8.1.1
    ct("12 of 16 bits, unsigned"),
    ct("16 bits unsigned", {"bits_stored": 16}, {"BitsStored": 16}, cells=[*CT_CELLS[:-1], 65535]),
    Case("16 bits signed", SIGNED_CELLS, SIGNED, SIGNED_ATTRIBUTES),
    Case(
        "12 bits signed, sign extended",
        [-2048, -161, -160, -1, 0, 1, 40, 41, 239, 240, 2047, 7],
        replace(SIGNED, bits_stored=12),
        {**SIGNED_ATTRIBUTES, "BitsStored": 12},
    ),
    Case(
        "12 bits signed, not sign extended",
        [value & 0xFFF for value in (-2048, -161, -160, -1, 0, 1, 40, 41, 239, 240, 2047, 7)],
        replace(SIGNED, bits_stored=12),
        {**SIGNED_ATTRIBUTES, "BitsStored": 12},
    ),
    ct("garbage above the stored bits", cells=[cell | (n % 16) << 12 for n, cell in enumerate(CT_CELLS)]),
    Case(
        "garbage above signed bits",
        [(value & 0xFFF) | 0x5000 for value in (-2048, -161, -160, -1, 0, 1, 40, 41, 239, 240, 2047, 7)],
        replace(SIGNED, bits_stored=12),
        {**SIGNED_ATTRIBUTES, "BitsStored": 12},
    ),
    ct(
        "12 bits in the upper part of the cell",
        {"high_bit": 15},
        {"HighBit": 15},
        cells=[cell << 4 | n % 16 for n, cell in enumerate(CT_CELLS)],
    ),
    ct("10 bits", {"bits_stored": 10}, {"BitsStored": 10, "HighBit": 9}),
    Case(
        "8 bits in cells of 16",
        [0, 1, 127, 128, 254, 255, 256, 300],
        Gray(bits_stored=8, window=(128, 100)),
        {"BitsStored": 8, "WindowCenter": "128", "WindowWidth": "100"},
    ),
    Case(
        "8 bits signed",
        [-128, -50, -1, 0, 1, 50, 100, 127],
        Gray(8, 8, signed=True, window=(0, 100)),
        {"BitsAllocated": 8, "BitsStored": 8, "PixelRepresentation": 1, "WindowCenter": "0", "WindowWidth": "100"},
    ),
    Case(
        "1 bit stored in 8",
        [0, 1, 0, 1],
        Gray(8, 1, window=(0.5, 1), function="LINEAR_EXACT"),
        {"BitsAllocated": 8, "BitsStored": 1},
        source="full range",
    ),
    Case(
        "32 bits unsigned",
        [0, 1, 70000, 99999, 100000, 100001, 4294967295, 5],
        Gray(32, 32, window=(100000, 50000)),
        {"BitsAllocated": 32, "BitsStored": 32, "WindowCenter": "100000", "WindowWidth": "50000"},
    ),
    Case(
        "24 of 32 bits signed, garbage above",
        [(value & 0xFFFFFF) | 0x7F000000 for value in (-8388608, -100000, -1, 0, 1, 99999, 100001, 8388607)],
        Gray(32, 24, signed=True, window=(0, 300000)),
        {
            "BitsAllocated": 32,
            "BitsStored": 24,
            "PixelRepresentation": 1,
            "WindowCenter": "0",
            "WindowWidth": "300000",
        },
    ),
    Case(
        "float pixel data",
        [-1e30, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1e30],
        Gray(real=True, window=(0.5, 1), function="LINEAR_EXACT"),
        {"FloatPixelData": True, "WindowCenter": "0.5", "WindowWidth": "1", "VOILUTFunction": "LINEAR_EXACT"},
        code="f",
    ),
    Case(
        "double float pixel data",
        [-1e300, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1e300],
        Gray(real=True, window=(0.5, 1), function="LINEAR_EXACT"),
        {"DoubleFloatPixelData": True, "WindowCenter": "0.5", "WindowWidth": "1", "VOILUTFunction": "LINEAR_EXACT"},
        code="d",
    ),
    # --- how the dataset is written: PS3.5 annex A
    ct("implicit VR", syntax=IMPLICIT),
    ct("big endian", syntax=BE),
    ct("deflated", syntax=DEFLATED),
    Case(
        "8 bits in big-endian words",
        EIGHT,
        Gray(8, 8, window=(128, 200)),
        {"BitsAllocated": 8, "BitsStored": 8, "WindowCenter": "128", "WindowWidth": "200"},
        syntax=BE,
    ),
    # --- windows: PS3.3 C.11.2.1.2
    ct("LINEAR"),
    ct("LINEAR of width 1 is a threshold", {"window": (40, 1)}, {"WindowWidth": "1"}),
    ct("LINEAR of width 2", {"window": (40, 2)}, {"WindowWidth": "2"}),
    ct("LINEAR with fractions", {"window": (40.25, 399.5)}, {"WindowCenter": "40.25", "WindowWidth": "399.5"}),
    ct("a comma for the decimal point", {"window": (40.5, 400)}, {"WindowCenter": "40,5"}),
    ct("LINEAR_EXACT", {"function": "LINEAR_EXACT"}, {"VOILUTFunction": "LINEAR_EXACT"}),
    ct(
        "LINEAR_EXACT narrower than 1",
        {"function": "LINEAR_EXACT", "window": (40.1, 0.5)},
        {"VOILUTFunction": "LINEAR_EXACT", "WindowCenter": "40.1", "WindowWidth": "0.5"},
    ),
    ct("SIGMOID", {"function": "SIGMOID"}, {"VOILUTFunction": "SIGMOID"}),
    ct(
        "SIGMOID so steep that its exponent overflows",
        {"function": "SIGMOID", "window": (40, 0.5)},
        {"VOILUTFunction": "SIGMOID", "WindowWidth": "0.5"},
        cells=[1000, 1060, 1063, 1064, 1065, 1068, 1200, 1030],
    ),
    ct("a function nobody knows is LINEAR", {}, {"VOILUTFunction": "GAMMA"}),
    ct("the first of several windows", {}, {"WindowCenter": ["40", "-600"], "WindowWidth": ["400", "1500"]}),
    ct(
        "the second by its number",
        {"window": (-600, 1500)},
        {"WindowCenter": ["40", "-600"], "WindowWidth": ["400", "1500"]},
        window="2",
        source="image: number 2",
    ),
    ct(
        "one by its explanation",
        {"window": (-600, 1500)},
        {
            "WindowCenter": ["40", "-600"],
            "WindowWidth": ["400", "1500"],
            "WindowCenterWidthExplanation": ["SOFT", "LUNGS"],
        },
        window="lungs",
        source="image: LUNGS",
    ),
    ct("a preset", {"window": (-600, 1500)}, window="lung", source="preset lung"),
    ct("a window that is given", {"window": (100, 50)}, window="100,50", source="given"),
    ct(
        "a function that is given",
        {"window": (100, 50), "function": "SIGMOID"},
        window="100,50,sigmoid",
        source="given",
    ),
    ct(
        "a window of width 0 is passed over",
        {"window": (50, 100)},
        {"WindowCenter": ["40", "50"], "WindowWidth": ["0", "100"]},
        warns=True,
    ),
    ct(
        "a LINEAR window narrower than 1 is passed over",
        {"window": (50, 100)},
        {"WindowCenter": ["40", "50"], "WindowWidth": ["0.5", "100"]},
        warns=True,
    ),
    ct(
        "no window but width 0: percentiles",
        {"window": (-1024 + 4095 / 2, 4095), "function": "LINEAR_EXACT"},
        {"WindowWidth": "0"},
        cells=[0] * 8 + [4095] * 8,
        source="auto: percentiles 0.1 to 99.9",
        warns=True,
    ),
    ct(
        "an empty window: percentiles",
        {"window": (-1024 + 4095 / 2, 4095), "function": "LINEAR_EXACT"},
        {"WindowCenter": "", "WindowWidth": ""},
        cells=[0] * 8 + [4095] * 8,
        source="auto: percentiles 0.1 to 99.9",
    ),
    ct(
        "percentiles asked for",
        {"window": (-1024 + 1000, 2000), "function": "LINEAR_EXACT"},
        cells=[0] * 8 + [2000] * 8,
        window="auto",
        source="auto: percentiles 0.1 to 99.9",
    ),
    Case(
        "8 bits without a window stay as they are",
        EIGHT,
        Gray(8, 8, window=(127.5, 255), function="LINEAR_EXACT"),
        {"BitsAllocated": 8, "BitsStored": 8},
        source="full range",
    ),
    Case(
        "one value everywhere",
        [700] * 4,
        Gray(window=(700, 1), function="LINEAR_EXACT"),
        source="auto: percentiles 0.1 to 99.9",
    ),
]
