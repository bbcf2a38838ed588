"""Colour and pseudo-colour presentation states (PS3.3 A.33.2, A.33.3), also as highdicom writes them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import highdicom
import numpy as np
import pydicom
import pytest
from highdicom.pr import ColorSoftcopyPresentationState, PseudoColorSoftcopyPresentationState
from PIL import Image, ImageCms

import converter
from converter.errors import ConversionError
from converter.gray.request import window_request
from converter.presentation.state import presentation_state
from tests.converter.building import SHIPPED, file, image, item, packed
from tests.converter.presenting import CELLS, COLUMNS, GSPS, OWN, ROWS, WINDOW, agrees, picture, shown, state, voi
from tests.converter.reference import Gray

if TYPE_CHECKING:
    from pathlib import Path

COLOR, PSEUDO = f"{GSPS[:-1]}2", f"{GSPS[:-1]}3"
_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PROFILE = _SRGB[:12] + b"scnr" + _SRGB[16:]  # DICOM profiles are those of input devices (PS3.3 C.11.15.1.1)
RED = [n * n for n in range(256)]
GREEN = [65535 - n * 257 for n in range(256)]
BLUE = [n * 100 for n in range(256)]


def palette(*channels: list[int]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    for name, channel in zip(("Red", "Green", "Blue"), channels, strict=True):
        attributes[f"{name}PaletteColorLookupTableDescriptor"] = [len(channel), 0, 16]
        attributes[f"{name}PaletteColorLookupTableData"] = packed(channel)
    return attributes


def pseudo(tmp_path: Path, *channels: list[int], **more: Any) -> Any:
    more = {"SoftcopyVOILUTSequence": [voi("2000", "4000")], **more}
    return state(tmp_path, SOPClassUID=PSEUDO, PresentationLUTShape=None, ICCProfile=PROFILE,
                 **palette(*(channels or (RED, GREEN, BLUE))), **more)  # fmt: skip


def expected(gray: Gray, *channels: list[int]) -> Any:
    """The palette's colours by the standard: the VOI's whole range goes over the whole palette."""
    size = len(channels[0])
    gray.top = size - 1
    places = [round(gray.exact(cell)) for cell in CELLS]
    colors = [[channel[place] / 257 for channel in channels] for place in places]
    return np.array(colors).reshape(ROWS, COLUMNS, 3)


@pytest.mark.parametrize("size", [2, 16, 256, 4096])
def test_grays_take_the_palettes_colours(tmp_path: Path, size: int) -> None:
    channels = [[n * 65535 // (size - 1) for n in range(size)], [(n * 7919) % 65536 for n in range(size)], [0] * size]
    rendering = shown(picture(), pseudo(tmp_path, *channels))
    assert np.abs(rendering.pixels - expected(Gray(window=(2000, 4000)), *channels)).max() <= 0.51
    assert rendering.window_source == "presentation state"


def test_a_window_that_is_given_goes_before_the_states(tmp_path: Path) -> None:
    rendering = shown(picture(), pseudo(tmp_path), window=window_request("1000,500"))
    assert np.abs(rendering.pixels - expected(Gray(window=(1000, 500)), RED, GREEN, BLUE)).max() <= 0.51


def test_padding_stays_black_under_a_palette(tmp_path: Path) -> None:
    rendering = shown(picture(PixelPaddingValue=0), pseudo(tmp_path))
    assert rendering.pixels[0, 0].tolist() == [0, 0, 0]
    assert rendering.pixels[0, 1].tolist() != [0, 0, 0]


def test_a_palette_without_data_is_refused(tmp_path: Path) -> None:
    bare = state(tmp_path, SOPClassUID=PSEUDO)
    with pytest.raises(ConversionError, match=r"frame 1: \(0028,1101\): the palette is missing"):
        shown(picture(), bare)


def test_pictures_carry_the_states_profile(tmp_path: Path) -> None:
    frame = converter.open(picture()).frame(1)
    png = converter.encode(converter.render(frame, presentation=pseudo(tmp_path)), frame)
    assert Image.open(io.BytesIO(png)).info["icc_profile"] == PROFILE


def colors(**more: Any) -> bytes:
    samples = bytes(n % 256 for n in range(ROWS * COLUMNS * 3))
    return file(image(samples, ROWS, COLUMNS, SamplesPerPixel=3, PhotometricInterpretation="RGB",
                      PlanarConfiguration=0, BitsAllocated=8, BitsStored=8, **more), vr="OB")  # fmt: skip


def test_a_colour_states_profile_goes_before_the_images(tmp_path: Path) -> None:
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = other[:100] + b"\1" + other[101:]
    presentation = state(tmp_path, SOPClassUID=COLOR, ICCProfile=PROFILE, ImageRotation=90)
    frame = converter.open(colors(ICCProfile=other)).frame(1)
    plain, rendering = converter.render(frame), converter.render(frame, presentation=presentation)
    assert (rendering.pixels == np.rot90(plain.pixels, -1)).all()
    assert rendering.warnings == ()
    for found, profile in ((plain, other), (rendering, PROFILE)):
        assert Image.open(io.BytesIO(converter.encode(found, frame))).info["icc_profile"] == profile


def test_a_state_for_the_other_kind_of_image_changes_no_value_and_says_so(tmp_path: Path) -> None:
    on_gray = shown(picture(), state(tmp_path, SOPClassUID=COLOR, ICCProfile=PROFILE))
    assert agrees(on_gray, OWN)
    assert on_gray.warnings == ("a colour presentation state leaves grays alone",)
    on_colors = shown(colors(), pseudo(tmp_path))
    assert (on_colors.pixels == shown(colors()).pixels).all()
    assert on_colors.warnings == ("a pseudo-colour presentation state leaves colours alone",)


def supplemented(cells: list[int]) -> bytes:
    """An image that colours stored values from 3000 up."""
    dataset = image(packed(cells), ROWS, COLUMNS, PixelPresentation="COLOR", **WINDOW)
    for name, channel in (("Red", [65535, 0]), ("Green", [0, 65535]), ("Blue", [0, 0])):
        setattr(dataset, f"{name}PaletteColorLookupTableDescriptor", [2, 3000, 16])
        setattr(dataset, f"{name}PaletteColorLookupTableData", packed(channel))
    return file(dataset)


def test_a_supplemental_palette_under_each_state(tmp_path: Path) -> None:
    # PS3.4 N.2: a grayscale state is for the grays alone, a pseudo-colour one goes in place of the palette.
    content = supplemented(CELLS)
    in_color = np.array(CELLS).reshape(ROWS, COLUMNS) >= 3000
    plain = shown(content).pixels
    gray_state = state(tmp_path, SoftcopyVOILUTSequence=[voi("1000", "500")])
    found = shown(content, gray_state).pixels
    assert (found[in_color] == plain[in_color]).all()
    assert (found[..., 0][~in_color] == shown(picture(), gray_state).pixels[~in_color]).all()
    presentation = pseudo(tmp_path)
    assert (shown(content, presentation).pixels == shown(picture(), presentation).pixels).all()
    given = shown(content, window=window_request("1000,500")).pixels
    assert (given[..., 0][~in_color] == shown(picture(), window=window_request("1000,500")).pixels[~in_color]).all()


def described() -> dict[str, Any]:
    """What highdicom asks of every state."""
    return {
        "series_instance_uid": highdicom.UID(),
        "series_number": 9,
        "sop_instance_uid": highdicom.UID(),
        "instance_number": 1,
        "manufacturer": "M",
        "manufacturer_model_name": "M",
        "software_versions": "1",
        "device_serial_number": "1",
        "content_label": "LABEL",
    }


def read(tmp_path: Path, found: Any) -> Any:
    path = tmp_path / "highdicom.dcm"
    found.save_as(path)
    presentation_state.cache_clear()
    return presentation_state(str(path))


def test_a_pseudo_colour_state_of_highdicom(tmp_path: Path) -> None:
    ct = pydicom.dcmread(SHIPPED / "CT_small.dcm")
    ct.WindowCenter, ct.WindowWidth = "40", "400"  # highdicom takes it from here; its argument for it does not work
    luts = [
        highdicom.PaletteColorLUT(0, np.array([(n * step) % 65536 for n in range(256)], np.uint16), color=color)
        for color, step in (("red", 257), ("green", 1000), ("blue", 31))
    ]
    written = PseudoColorSoftcopyPresentationState(
        referenced_images=[ct],
        palette_color_lut_transformation=highdicom.PaletteColorLUTTransformation(*luts),
        modality_lut_transformation=highdicom.ModalityLUTTransformation(
            rescale_intercept=ct.RescaleIntercept, rescale_slope=ct.RescaleSlope, rescale_type="HU"
        ),
        icc_profile=PROFILE,
        **described(),
    )
    frame = converter.open(SHIPPED / "CT_small.dcm").frame(1)
    found = converter.render(frame, presentation=read(tmp_path, written)).pixels
    values = ct.pixel_array.astype(float) * float(ct.RescaleSlope) + float(ct.RescaleIntercept)
    shares = np.clip((values - 39.5) / 399 + 0.5, 0, 1)
    padded = ct.pixel_array == ct.PixelPaddingValue
    for channel, step in enumerate((257, 1000, 31)):
        places = np.floor(shares * 255 + 0.5).astype(int)
        exact = np.array([(n * step) % 65536 for n in range(256)])[places] / 257
        assert np.abs(found[..., channel] - exact)[~padded].max() <= 0.51


def test_a_colour_state_of_highdicom(tmp_path: Path) -> None:
    path = SHIPPED / "SC_rgb_small_odd.dcm"
    written = ColorSoftcopyPresentationState([pydicom.dcmread(path)], icc_profile=PROFILE, **described())
    frame = converter.open(path).frame(1)
    rendering = converter.render(frame, presentation=read(tmp_path, written))
    assert rendering.warnings == ()
    assert (rendering.pixels == converter.render(frame).pixels).all()
    assert item(ICCProfile=PROFILE).ICCProfile == rendering.colors_of.raw(0x00282000)  # type: ignore[union-attr]  # it has one
