"""Marks by which Gurney knows its own objects again, and when they are believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.node import first

if TYPE_CHECKING:
    from provision.node import Attributes

COMMUNITY, KIND, KEY = "GURNEY_COMMUNITY", "GURNEY_KIND", "GURNEY_KEY"


@dataclass(frozen=True)
class Mark:
    """What Gurney writes on an object that it makes."""

    community: str
    kind: str
    key: str


def mark_in(attributes: Attributes) -> Mark | None:
    """The mark that a template carries; whether it is believed depends on who could have written it."""
    community, kind = first(attributes, COMMUNITY), first(attributes, KIND)
    return Mark(community, kind, first(attributes, KEY)) if community and kind else None


def object_name(community: str, *parts: str) -> str:
    """The name of an object: the community and what it is for, joined by a sign that no part contains."""
    return ".".join((community, *(part for part in parts if part)))
