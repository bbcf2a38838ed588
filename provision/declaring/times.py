"""Times of day as people write them, 02:30."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

PATTERN = r"([01]\d|2[0-3]):([0-5]\d)"


@dataclass(frozen=True, order=True)
class TimeOfDay:
    """A minute of a day."""

    hour: int
    minute: int

    @property
    def second_of_day(self) -> int:
        """Seconds since midnight."""
        return (self.hour * 60 + self.minute) * 60

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02}"


def time_of_day(value: Any) -> TimeOfDay:
    """The time that a text such as 02:30 says."""
    if isinstance(value, TimeOfDay):
        return value
    read = re.fullmatch(PATTERN, str(value))
    if read is None:
        raise ValueError(f"{value!r} is no time of day, as in 02:30")
    return TimeOfDay(int(read[1]), int(read[2]))


TimeText = Annotated[
    TimeOfDay, BeforeValidator(time_of_day), WithJsonSchema({"type": "string", "pattern": f"^{PATTERN}$"})
]
