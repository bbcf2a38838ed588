"""DICOM's values in words that staff read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

DATE_DIGITS = 8


def person_name(text: str) -> str:
    """`Family^Given^Middle^Prefix^Suffix` as `Family, Given Middle`; the first group that says anything.

    References
    ----------
    PS3.5 6.2.1: components of a person name, groups separated by `=`.
    """
    group = next((group for group in text.split("=") if group.strip("^ ")), "")
    family, *others = [part.strip() for part in group.split("^")]
    given = " ".join(part for part in others[:2] if part)
    return ", ".join(part for part in (family, given) if part) or "(no name)"


def date(text: str) -> str:
    """`YYYYMMDD` as `YYYY-MM-DD`; anything else as it is."""
    if len(text) == DATE_DIGITS and text.isdecimal():
        return f"{text[:4]}-{text[4:6]}-{text[6:]}"
    return text


def moment(at: datetime) -> str:
    """A time to the minute, in the branch's zone; UTC is named, which no ward's clock shows."""
    local = at.astimezone()
    return f"{local:%Y-%m-%d %H:%M}{' UTC' if local.tzname() == 'UTC' else ''}"


def count(number: int, one: str, more: str) -> str:
    """`1 image`, `12 images`."""
    return f"{number} {one if number == 1 else more}"


def facts(detail: str) -> str:
    """An audit entry's further facts, as JSON, in a line: `issuer erode · patient ER-4711`, without empty ones."""
    return " · ".join(f"{name} {_listed(fact)}" for name, fact in json.loads(detail).items() if fact or fact == 0)


def _listed(fact: object) -> str:
    return ", ".join(map(str, fact)) if isinstance(fact, list) else str(fact)


FILTERS = {"facts": facts, "person_name": person_name, "date": date, "moment": moment, "count": count}
