"""One object of the cloud: what a client sees of it, and what the cloud keeps to itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Body = dict[str, Any]


@dataclass(slots=True, eq=False)
class Record:
    """An object of some kind.

    Attributes
    ----------
    kind
        Key of `emulator.kinds.KINDS`.
    oid
        Its id; unique within the kind, never used twice.
    body
        What `one.<kind>.info` shows, in the order in which it is shown.
    hidden
        What is kept beside it (quotas, password hashes of tokens, counters).
    xml
        Rendered forms of the body, dropped when it changes.
    """

    kind: str
    oid: int
    body: Body
    hidden: Body = field(default_factory=dict)
    xml: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """NAME."""
        return str(self.body["NAME"])

    @property
    def uid(self) -> int:
        """Owner's user id, -1 where the kind has no owner."""
        return int(self.body.get("UID", -1))

    @property
    def gid(self) -> int:
        """Group id, -1 where the kind has no owner."""
        return int(self.body.get("GID", -1))

    @property
    def state(self) -> int:
        """STATE as a number."""
        return int(self.body["STATE"])

    @property
    def template(self) -> Body:
        """TEMPLATE, attribute name to list of values."""
        template: Body = self.body["TEMPLATE"]
        return template

    def attribute(self, name: str) -> str:
        """First plain value of a template attribute, "" where there is none."""
        return next((value for value in self.template.get(name, []) if isinstance(value, str)), "")
