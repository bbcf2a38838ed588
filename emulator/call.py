"""One call of the API on its way: who calls, what is called, and the cloud it is about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.errors import Code, Refused
from emulator.kinds import KINDS

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.record import Record
    from emulator.store import Store


@dataclass(frozen=True)
class Caller:
    """An authenticated user, with the groups that count for this call."""

    uid: int
    gid: int
    gids: frozenset[int]
    name: str = ""
    group_name: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether it is oneadmin or in oneadmin's group."""
        return self.uid == 0 or 0 in self.gids


@dataclass(frozen=True)
class Call:
    """A call being answered."""

    cloud: Cloud
    caller: Caller
    method: str
    request_id: int = -1

    @property
    def store(self) -> Store:
        """The state of the cloud."""
        return self.cloud.store

    def get(self, kind: str, oid: int) -> Record:
        """The object.

        Raises
        ------
        Refused
            NO_EXISTS, with the id.
        """
        record = self.store.get(kind, oid)
        if record is None:
            raise Refused(Code.NO_EXISTS, f"Error getting {KINDS[kind].words} [{oid}].", oid)
        return record
