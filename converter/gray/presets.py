"""Windows that people call by a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.dicom.groups import candidates
from converter.errors import ConversionError
from converter.gray.suv import activity_of_suv
from converter.gray.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from converter.dicom.header import Header

# Usual presets of CT workstations, in Hounsfield units.
_CT = {
    "abdomen": Window(60, 400),
    "angio": Window(300, 600),
    "bone": Window(400, 1800),
    "brain": Window(40, 80),
    "chest": Window(40, 400),
    "liver": Window(80, 150),
    "lung": Window(-600, 1500),
    "mediastinum": Window(40, 400),
    "pelvis": Window(40, 400),
    "sinus": Window(400, 2000),
    "soft-tissue": Window(50, 350),
    "spine": Window(50, 250),
    "stroke": Window(32, 8),
    "subdural": Window(75, 280),
    "temporal-bone": Window(600, 2800),
}
# From 0 to so many g/ml of body weight, as PET viewers offer it.
_PT = {f"suv-{top}": Window(top / 2, top, "LINEAR_EXACT") for top in (3, 5, 7, 10, 15, 20)}
# Modalities whose values have no unit (MR, CR, DX, MG, NM, XA ...) have presets that start from the image's own window:
# the words that radiography consoles write as explanations of an image's other windows.
SCALED = {"harder": 0.75, "softer": 4 / 3}
FULL = "full"
_HOUNSFIELD = ("HU", "HU_MOD", "US", "")


def preset(header: Header, name: str) -> Window:
    """The window that an object's modality calls by this name, in the object's modality values.

    Raises
    ------
    ConversionError
        Where the modality has no such preset, or the object's values do not have the preset's unit.
    """
    modality = header.text(tags.MODALITY)
    known, in_values = _PRESETS.get(modality, ({}, _as_it_is))
    if name in known:
        return in_values(header, known[name], name)
    of_others = [other for other, (windows, _) in _PRESETS.items() if name in windows]
    hint = f" (it is one for {of_others[0]})" if of_others else ""
    usable = ", ".join((*known, FULL, *SCALED))
    raise ConversionError(
        f"no window is called {name!r} in the image, and it is no preset for {modality or 'its modality'}{hint}; "
        f"there are {usable}"
    )


def key(name: str) -> str:
    """A preset's name as the tables have it."""
    return name.lower().replace("_", "-").replace(" ", "-")


def _as_it_is(header: Header, window: Window, name: str) -> Window:
    del header, name
    return window


def _in_hounsfield(header: Header, window: Window, name: str) -> Window:
    """The window, where the values are Hounsfield units: PS3.3 C.8.2.1 gives CT images a rescale to them."""
    for _, item in candidates(header, tags.PIXEL_VALUE_TRANSFORMATION, 1):
        if tags.RESCALE_INTERCEPT in item and item.text(tags.RESCALE_TYPE) in _HOUNSFIELD:
            return window
    raise ConversionError(
        f"the preset {name!r} is in Hounsfield units, which the image's values are not", tag=tags.RESCALE_INTERCEPT
    )


def _in_activity(header: Header, window: Window, name: str) -> Window:
    del name
    factor = activity_of_suv(header)
    return Window(window.center * factor, window.width * factor, window.function)


_PRESETS: dict[str, tuple[dict[str, Window], Callable[[Header, Window, str], Window]]] = {
    "CT": (_CT, _in_hounsfield),
    "PT": (_PT, _in_activity),
}
