"""The zone in which staff read times; what is kept and logged has UTC."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import structlog

log = structlog.get_logger("appliance.time_zone")

_NAME = re.compile(r"[A-Z][A-Za-z0-9_+-]{0,30}(/[A-Z][A-Za-z0-9_+-]{0,30}){0,2}")
DATABASE = Path("/usr/share/zoneinfo")


def live_in(zone: str) -> None:
    """Tell this process, and those that it starts, the zone; UTC stays where none is named, or none of that name known.

    Only what has the form of a name is looked up: the C library would read any file that it is told.
    """
    if not zone:
        return
    if not _NAME.fullmatch(zone) or not (DATABASE / zone).is_file():
        log.warning("time zone", remark=f"{zone!r} is not known on this machine: times are UTC")
        return
    os.environ["TZ"] = zone
    time.tzset()
