"""The branch that we are, as the other side of a referral knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange.keys import BranchKeys


@dataclass(frozen=True)
class Branch:
    """Its name in the directory, and its keys."""

    name: str
    keys: BranchKeys = field(repr=False)
