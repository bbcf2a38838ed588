"""A series as a strip of pictures: every frame of every instance, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.index.models import FAILED, PENDING

if TYPE_CHECKING:
    from appliance.index.queries import InstanceRow, SeriesRow


@dataclass(frozen=True)
class Frame:
    """One picture of a series, at a position counted from 1."""

    position: int
    sop_instance_uid: str
    instance_number: int | None
    frame: int
    frames: int

    @property
    def label(self) -> str:
        """What it is called: the instance's number, and the frame's where there are several."""
        number = self.instance_number if self.instance_number is not None else self.position
        return f"{number}" if self.frames == 1 else f"{number}, frame {self.frame} of {self.frames}"


@dataclass(frozen=True)
class Without:
    """Instances of a series that have no pictures: still to be made, or why not."""

    pending: int
    failed: tuple[str, ...]


def frames_of(series: SeriesRow) -> list[Frame]:
    """Every picture of a series."""
    shown = [(instance, picture.frame) for instance in series.instances for picture in instance.pictures]
    return [_frame(position, instance, frame) for position, (instance, frame) in enumerate(shown, start=1)]


def _frame(position: int, instance: InstanceRow, frame: int) -> Frame:
    return Frame(position, instance.sop_instance_uid, instance.number, frame, instance.frames)


def instances_without(series: SeriesRow) -> Without:
    """What a series holds besides its pictures."""
    pending = sum(instance.state == PENDING for instance in series.instances)
    reasons = dict.fromkeys(instance.reason for instance in series.instances if instance.state == FAILED)
    return Without(pending, tuple(reasons))
