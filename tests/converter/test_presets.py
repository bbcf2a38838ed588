"""Windows by name: explanations, presets of a modality, and what they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import converter
from converter.errors import ConversionError
from converter.gray.request import window_request
from tests.converter.building import file, image, item, packed

if TYPE_CHECKING:
    from converter.rendering import Rendering

CELLS = list(range(0, 1600, 100))
HOUNSFIELD = {"RescaleSlope": "1", "RescaleIntercept": "-1024"}


def shown(name: str, cells: list[int] = CELLS, **attributes: Any) -> Rendering:
    content = file(image(packed(cells), 4, 4, **attributes))
    return converter.render(converter.open(content).frame(1), window_request(name))


def window(name: str, **attributes: Any) -> tuple[float, float, str]:
    found = shown(name, **attributes).window
    assert found
    return found.center, found.width, found.function


@pytest.mark.parametrize(
    ("name", "center", "width"),
    [("lung", -600, 1500), ("Soft Tissue", 50, 350), ("temporal_bone", 600, 2800), ("BRAIN", 40, 80)],
)
def test_presets_of_ct(name: str, center: float, width: float) -> None:
    assert window(name, **HOUNSFIELD) == (center, width, "LINEAR")
    group = item(PixelValueTransformationSequence=[item(RescaleSlope="1", RescaleIntercept="-1024", RescaleType="HU")])
    assert window(name, SharedFunctionalGroupsSequence=[group]) == (center, width, "LINEAR")


@pytest.mark.parametrize("attributes", [{}, {**HOUNSFIELD, "RescaleType": "MGML"}], ids=["a screenshot", "iodine"])
def test_a_ct_preset_is_refused_where_values_are_not_hounsfield_units(attributes: dict[str, Any]) -> None:
    with pytest.raises(
        ConversionError, match=r"frame 1: \(0028,1052\): the preset 'lung' is in Hounsfield units, which"
    ):
        shown("lung", **attributes)


@pytest.mark.parametrize(
    ("modality", "usable"),
    [("MR", "full, harder, softer"), ("PT", "suv-3, suv-5, suv-7, suv-10, suv-15, suv-20, full, harder, softer")],
)
def test_a_preset_of_another_modality_is_refused_and_the_right_ones_named(modality: str, usable: str) -> None:
    words = f"no window is called 'lung' in the image, and it is no preset for {modality} \\(it is one for CT\\); "
    with pytest.raises(ConversionError, match=words + f"there are {usable}"):
        shown("lung", Modality=modality)


def test_an_explanation_goes_before_a_preset() -> None:
    own = {"WindowCenter": ["1", "700"], "WindowWidth": ["2", "300"], "WindowCenterWidthExplanation": ["A", "LUNG"]}
    assert window("lung", **HOUNSFIELD, **own) == (700, 300, "LINEAR")


@pytest.mark.parametrize("modality", ["MR", "CR", "DX", "MG", "NM", "XA", "US"])
def test_harder_and_softer_start_from_the_images_own_window(modality: str) -> None:
    own = {"Modality": modality, "WindowCenter": "600", "WindowWidth": "900", "VOILUTFunction": "SIGMOID"}
    assert window("harder", **own) == (600, 675, "SIGMOID")
    assert window("softer", **own) == (600, 1200, "SIGMOID")
    assert shown("harder", **own).window_source == "preset harder of image"


def test_harder_starts_from_the_automatic_window_where_the_image_has_none() -> None:
    found = shown("harder", Modality="MR")
    plain = shown("auto", Modality="MR").window
    assert found.window
    assert plain
    assert (found.window.center, found.window.width) == (plain.center, plain.width * 0.75)
    assert found.window_source == "preset harder of auto"


def test_full_is_from_the_lowest_value_to_the_highest() -> None:
    cells = [*range(500, 515), 65535]
    found = shown("full", cells, Modality="NM", PixelPaddingValue=65535)
    assert found.window
    assert (found.window.center, found.window.width) == (507, 14)
    assert [found.pixels[0, 0], found.pixels[3, 2], found.pixels[3, 3]] == [0, 255, 0]
    large = np.full(2048 * 2048, 1000)
    large[1234567], large[7] = 9000, 3  # between the pixels that a sample would look at
    content = file(image(packed(large.tolist()), 2048, 2048, Modality="MR"))
    rendering = converter.render(converter.open(content).frame(1), window_request("full"))
    assert rendering.window
    assert (rendering.window.center, rendering.window.width) == (4501.5, 8997)


# --- PET: SUV by body weight

PET: dict[str, Any] = {
    "Modality": "PT", "Units": "BQML", "CorrectedImage": ["DECY", "ATTN", "SCAT"], "DecayCorrection": "START",
    "PatientWeight": "70", "SeriesDate": "20240301", "SeriesTime": "100000",
    "AcquisitionDate": "20240301", "AcquisitionTime": "100500.25", "RescaleSlope": "2", "RescaleIntercept": "0",
}  # fmt: skip
DRUG: dict[str, Any] = {
    "RadionuclideTotalDose": "370000000",
    "RadionuclideHalfLife": "6586.2",
    "RadiopharmaceuticalStartTime": "090000",
}


def pet(**changes: Any) -> dict[str, Any]:
    drug = {key: changes.pop(key, value) for key, value in DRUG.items()}
    drug |= {key: changes.pop(key) for key in list(changes) if key.startswith("Radio")}
    merged = {**PET, **changes, "RadiopharmaceuticalInformationSequence": [item(**drug)]}
    return {key: value for key, value in merged.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, 370e6 * 0.5 ** (3600 / 6586.2)),
        ({"DecayCorrection": "ADMIN"}, 370e6),
        ({"RadiopharmaceuticalStartTime": "233000"}, 370e6 * 0.5 ** (37800 / 6586.2)),
        ({"RadiopharmaceuticalStartDateTime": "20240301080000.00"}, 370e6 * 0.5 ** (7200 / 6586.2)),
    ],
    ids=["an hour", "corrected to the injection", "before midnight", "with a date"],
)
def test_suv_by_dose_weight_and_decay(changes: dict[str, Any], left: float) -> None:
    activity = left / 70_000  # Bq/ml that one g/ml of SUV stands for
    center, width, function = window("suv-7", **pet(**changes))
    assert (center, width) == pytest.approx((3.5 * activity, 7 * activity))
    assert function == "LINEAR_EXACT"


def test_suv_of_values_that_are_suv_already() -> None:
    assert window("suv-5", Modality="PT", Units="GML", RescaleSlope="0.01", RescaleIntercept="0") == (
        2.5,
        5,
        "LINEAR_EXACT",
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"Units": "CNTS"}, r"\(0054,1001\): no SUV can be had of values in CNTS"),
        ({"CorrectedImage": ["DECY"]}, r"\(0028,0051\): SUV needs values corrected for attenuation and decay"),
        ({"PatientWeight": None}, r"\(0010,1030\): SUV needs PatientWeight"),
        ({"PatientWeight": "0"}, r"\(0010,1030\): SUV needs PatientWeight"),
        ({"RadionuclideHalfLife": "0"}, r"\(0018,1075\): SUV needs RadionuclideHalfLife"),
        ({"RadiopharmaceuticalStartTime": ""}, r"\(0018,1072\): SUV needs a date and time"),
        ({"DecayCorrection": "NONE"}, r"\(0054,1102\): SUV needs values corrected to the start of the scan"),
        ({"SeriesTime": "180000"}, r"\(0008,0031\): the series was made after the scan"),
        ({"RadiopharmaceuticalStartDateTime": "20240302080000"}, r"\(0018,1072\): the injection lies after the scan"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_suv_names_what_it_lacks(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConversionError, match=f"frame 1: {words}"):
        shown("suv-5", **pet(**changes))
