"""Windows that people call by a name."""

from __future__ import annotations

from converter.gray.window import Window

# Usual presets of CT workstations, in Hounsfield units; other modalities have no unit that a preset could rely on.
CT = {
    "abdomen": Window(60, 400),
    "angio": Window(300, 600),
    "bone": Window(400, 1800),
    "brain": Window(40, 80),
    "chest": Window(40, 400),
    "liver": Window(80, 150),
    "lung": Window(-600, 1500),
    "mediastinum": Window(40, 400),
    "sinus": Window(400, 2000),
    "soft-tissue": Window(50, 350),
    "spine": Window(50, 250),
    "stroke": Window(32, 8),
    "subdural": Window(75, 280),
    "temporal-bone": Window(600, 2800),
}
PRESETS = {"CT": CT}


def preset(modality: str, name: str) -> Window | None:
    """The window that a modality calls by this name, or None."""
    return PRESETS.get(modality, {}).get(name.lower().replace("_", "-").replace(" ", "-"))
