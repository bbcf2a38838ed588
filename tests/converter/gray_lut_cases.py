"""Cases of lookup tables, polarity, padding and depth."""

from __future__ import annotations

from dataclasses import replace

from tests.converter.gray_cases import (
    IMPLICIT,
    SIGNED,
    SIGNED_ATTRIBUTES,
    SIGNED_CELLS,
    VOI_ENTRIES,
    Case,
    ct,
    lut_item,
)
from tests.converter.reference import Gray

TABLES_AND_PADDING = [
    # --- VOI LUT: PS3.3 C.11.2.1.1
    ct(
        "VOI LUT of 12 bits",
        {"voi_lut": (0, VOI_ENTRIES, 12)},
        {"VOILUTSequence": [lut_item(0, VOI_ENTRIES, 12)], "WindowCenter": None, "WindowWidth": None},
        cells=[1000, 1023, 1024, 1025, 1026, 1030, 1031, 1032],
        source="image: VOI LUT",
    ),
    ct(
        "VOI LUT before a window",
        {"voi_lut": (0, VOI_ENTRIES, 12)},
        {"VOILUTSequence": [lut_item(0, VOI_ENTRIES, 12)]},
        cells=[1000, 1023, 1024, 1025, 1026, 1030, 1031, 1032],
        source="image: VOI LUT",
    ),
    Case(
        "VOI LUT that starts below zero",
        [-5, -4, -3, -1, 0, 2, 3, 4],
        Gray(signed=True, voi_lut=(-4, VOI_ENTRIES, 12)),
        {"PixelRepresentation": 1, "VOILUTSequence": [lut_item(-4, VOI_ENTRIES, 12)]},
        source="image: VOI LUT",
    ),
    ct(
        "VOI LUT with 8-bit entries packed two to a word",
        {"voi_lut": (0, [0, 10, 40, 90, 160, 200, 250, 255], 8)},
        {"VOILUTSequence": [lut_item(0, [0] * 8, 8, data=bytes([0, 10, 40, 90, 160, 200, 250, 255]))]},
        cells=[1000, 1023, 1024, 1025, 1026, 1030, 1031, 1032],
        source="image: VOI LUT",
    ),
    ct(
        "VOI LUT by its explanation",
        {"voi_lut": (0, VOI_ENTRIES, 12)},
        {"VOILUTSequence": [lut_item(0, [5] * 8, 12), lut_item(0, VOI_ENTRIES, 12, LUTExplanation="BONES")]},
        cells=[1000, 1023, 1024, 1025, 1026, 1030, 1031, 1032],
        window="BONES",
        source="image: BONES",
    ),
    # --- modality: PS3.3 C.11.1
    ct(
        "a slope with fractions",
        {"slope": 0.3051, "intercept": -100.5, "window": (200, 300)},
        {"RescaleSlope": "0.3051", "RescaleIntercept": "-100.5", "WindowCenter": "200", "WindowWidth": "300"},
    ),
    ct("a negative slope", {"slope": -1, "intercept": 1024}, {"RescaleSlope": "-1", "RescaleIntercept": "1024"}),
    ct("a slope of 0 is read as 1", {}, {"RescaleSlope": "0"}),
    ct("an intercept alone", {}, {"RescaleSlope": None}),
    Case(
        "a very small slope",
        [0, 1, 100, 5000, 10000, 20000, 60000, 65535],
        Gray(slope=0.00001, window=(0.3, 0.5), function="LINEAR_EXACT"),
        {
            "RescaleSlope": "0.00001",
            "RescaleIntercept": "0",
            "WindowCenter": "0.3",
            "WindowWidth": "0.5",
            "VOILUTFunction": "LINEAR_EXACT",
        },
    ),
    Case(
        "Modality LUT and a window",
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 100],
        Gray(modality_lut=(1, [0, 50, 100, 150, 200, 250, 300, 350]), window=(175, 200)),
        {
            "ModalityLUTSequence": [lut_item(1, [0, 50, 100, 150, 200, 250, 300, 350], 16, ModalityLUTType="US")],
            "WindowCenter": "175",
            "WindowWidth": "200",
        },
    ),
    Case(
        "Modality LUT that says 8 bits and holds more",
        [0, 1, 2, 3],
        Gray(modality_lut=(0, [0, 300, 600, 900]), window=(450, 900)),
        {
            "ModalityLUTSequence": [lut_item(0, [0, 300, 600, 900], 8, ModalityLUTType="US")],
            "WindowCenter": "450",
            "WindowWidth": "900",
        },
    ),
    Case(
        "Modality LUT of 65536 entries, whose descriptor says 0",
        [0, 1, 30000, 65535],
        Gray(modality_lut=(0, [65535 - n for n in range(65536)]), window=(30000, 60000)),
        {
            "ModalityLUTSequence": [lut_item(0, [65535 - n for n in range(65536)], 16, ModalityLUTType="US")],
            "WindowCenter": "30000",
            "WindowWidth": "60000",
        },
        syntax=IMPLICIT,
    ),
    Case(
        "dose grid scaling",
        [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000],
        Gray(32, 32, slope=0.001, window=(3, 4)),
        {
            "BitsAllocated": 32,
            "BitsStored": 32,
            "DoseGridScaling": "0.001",
            "WindowCenter": "3",
            "WindowWidth": "4",
        },
    ),
    Case(
        "Modality LUT that starts below zero, then a VOI LUT",
        [-3, -2, -1, 0, 1, 2, 3, 4],
        Gray(signed=True, modality_lut=(-2, [0, 1, 2, 3, 4, 5]), voi_lut=(1, VOI_ENTRIES, 12)),
        {
            "PixelRepresentation": 1,
            "ModalityLUTSequence": [lut_item(-2, [0, 1, 2, 3, 4, 5], 16, ModalityLUTType="US")],
            "VOILUTSequence": [lut_item(1, VOI_ENTRIES, 12)],
        },
        source="image: VOI LUT",
    ),
    ct(
        "the second of VOI LUT and window by its number",
        {},
        {"VOILUTSequence": [lut_item(0, VOI_ENTRIES, 12)]},
        window="2",
        source="image: number 2",
    ),
    # --- polarity: PS3.3 C.7.6.3.1.2, C.11.6
    ct("MONOCHROME1", {"inverse": True}, {"PhotometricInterpretation": "MONOCHROME1"}),
    ct(
        "MONOCHROME1 said twice",
        {"inverse": True},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ),
    ct("an identity shape", {}, {"PresentationLUTShape": "IDENTITY"}),
    ct(
        "an inverse shape that contradicts MONOCHROME2",
        {"inverse": True},
        {"PresentationLUTShape": "INVERSE"},
        warns=True,
    ),
    ct(
        "an identity shape that contradicts MONOCHROME1",
        {},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"},
        warns=True,
    ),
    # --- padding: PS3.3 C.7.5.1.1.2
    ct("padding is black", {"padding": (4095, 4095)}, {"PixelPaddingValue": 4095}),
    ct(
        "padding is black in an inverse picture too",
        {"padding": (0, 0), "inverse": True},
        {"PixelPaddingValue": 0, "PhotometricInterpretation": "MONOCHROME1"},
    ),
    ct(
        "a range of padding",
        {"padding": (1065, 4095)},
        {"PixelPaddingValue": 4095, "PixelPaddingRangeLimit": 1065},
    ),
    ct(
        "percentiles without the padding",
        {"padding": (4095, 4095), "window": (-1024 + 1000, 2000), "function": "LINEAR_EXACT"},
        {"PixelPaddingValue": 4095, "WindowCenter": None, "WindowWidth": None},
        cells=[0] * 4 + [2000] * 4 + [4095] * 8,
        source="auto: percentiles 0.1 to 99.9",
    ),
    Case(
        "signed padding",
        SIGNED_CELLS,
        replace(SIGNED, padding=(-2000, -2000), window=(-1000, 4000)),
        {**SIGNED_ATTRIBUTES, "PixelPaddingValue": -2000, "WindowCenter": "-1000", "WindowWidth": "4000"},
        syntax=IMPLICIT,
    ),
    Case(
        "a range of padding in float pixel data",
        [-1000.5, -1000.0, -999.5, 0.0, 0.25, 0.5, 1.0, 7.5],
        Gray(real=True, window=(0.5, 1), function="LINEAR_EXACT", padding=(-1000.5, -1000.0)),
        {
            "FloatPixelData": b"",
            "FloatPixelPaddingValue": -1000.0,
            "FloatPixelPaddingRangeLimit": -1000.5,
            "WindowCenter": "0.5",
            "WindowWidth": "1",
            "VOILUTFunction": "LINEAR_EXACT",
        },
        code="f",
    ),
    ct(
        "padding beside a Modality LUT",
        {
            "slope": 1,
            "intercept": 0,
            "modality_lut": (0, [40 + n for n in range(8)]),
            "padding": (7, 7),
            "window": (44, 8),
        },
        {
            "ModalityLUTSequence": [lut_item(0, [40 + n for n in range(8)], 16, ModalityLUTType="US")],
            "RescaleSlope": None,
            "RescaleIntercept": None,
            "PixelPaddingValue": 7,
            "WindowCenter": "44",
            "WindowWidth": "8",
        },
        cells=[0, 1, 2, 3, 4, 5, 6, 7],
    ),
    # --- depth of the picture
    ct("16 bits of gray", {"top": 65535}, bits=16),
    ct("16 bits of a sigmoid", {"top": 65535, "function": "SIGMOID"}, {"VOILUTFunction": "SIGMOID"}, bits=16),
]
