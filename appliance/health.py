"""The health of an appliance, as anyone may ask for it: no patient data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Health:
    """Whether it takes associations, how many instances wait for their pictures, and whether an upgrade is on trial."""

    dicom: bool
    pending_renditions: int
    closed: bool = False
