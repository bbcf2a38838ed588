"""The time zone in which staff read times: a name of the tz database."""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import available_timezones

from pydantic import AfterValidator, WithJsonSchema

WORDS = "a time zone by its name in the tz database, as Asia/Kolkata"
_NAME = re.compile(r"[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*){0,2}")


def time_zone(text: str) -> str:
    """The zone as it is; raises ValueError where it is none that this machine knows."""
    known = available_timezones()
    if len(text) > 64 or not _NAME.fullmatch(text) or (known and text not in known):
        raise ValueError(f"not {WORDS}")
    return text


TimeZone = Annotated[str, AfterValidator(time_zone), WithJsonSchema({"type": "string", "description": WORDS})]
