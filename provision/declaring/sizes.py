"""Sizes as people write them (`4GiB`) and as OpenNebula takes them (MiB)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

MIB_IN = {"MiB": 1, "GiB": 1024, "TiB": 1024 * 1024}
PATTERN = r"(\d+(?:\.\d+)?) ?(MiB|GiB|TiB)"


@dataclass(frozen=True, order=True)
class Size:
    """An amount of memory or disk."""

    mib: int

    def __str__(self) -> str:
        unit = next(unit for unit in ("TiB", "GiB", "MiB") if self.mib % MIB_IN[unit] == 0)
        return f"{self.mib // MIB_IN[unit]}{unit}"


def size(value: Any) -> Size:
    """The size that a text such as `4GiB` says.

    Raises
    ------
    ValueError
        For a bare number, an unknown unit, nothing at all, or parts of a MiB.
    """
    if isinstance(value, Size):
        return value
    match = re.fullmatch(PATTERN, value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is no size: write a number and a unit, as in 512MiB, 4GiB or 1.5TiB")
    mib = float(match[1]) * MIB_IN[match[2]]
    if mib < 1 or mib != int(mib):
        raise ValueError(f"{value!r} is not a whole number of MiB")
    return Size(int(mib))


SizeText = Annotated[
    Size,
    BeforeValidator(size),
    WithJsonSchema({"type": "string", "pattern": f"^{PATTERN}$", "examples": ["512MiB", "4GiB", "1.5TiB"]}),
]
