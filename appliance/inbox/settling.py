"""What is still being copied: files that changed a moment ago wait, and so do those that came with them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from appliance.inbox.held import State

#: A CD drive that spins up again makes a pause of some seconds.
QUIET_S = 10.0
#: Who copies CD after CD does not wait for the last one.
PATIENCE_S = 300.0


class Settling:
    """
    Since when each file of a folder is as it is.

    That is measured from look to look: the times that files bear depend on a clock that may be wrong.

    Parameters
    ----------
    quiet_s
        For how long a file must not have changed.
    """

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        self._quiet_s = quiet_s
        self._seen: dict[str, tuple[State, float]] = {}

    def look(self, found: Mapping[str, State]) -> list[str]:
        """Of the files that lie there now, those to take: none while others are being copied, for five minutes."""
        now = time.monotonic()
        self._seen = {name: (state, self._since(name, state, now)) for name, state in found.items()}
        settled = [name for name, (_, since) in self._seen.items() if now - since >= self._quiet_s]
        waited = max((now - since for _, since in self._seen.values()), default=0.0)
        return settled if len(settled) == len(self._seen) or waited >= PATIENCE_S else []

    def unsettle(self, name: str) -> None:
        """Let a file wait once more."""
        self._seen.pop(name, None)

    def _since(self, name: str, state: State, now: float) -> float:
        before = self._seen.get(name)
        return before[1] if before is not None and before[0] == state else now


class Stillness:
    """
    Whether nothing has come or gone for so long that a copy is over: a client that asks its user makes a longer pause.

    Parameters
    ----------
    patience_s
        For how long no file must have lain there, and no folder been made or removed.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._folders, self._since = 0, time.monotonic()

    def look(self, found: Mapping[str, State], folders: Iterable[str]) -> bool:
        """Look again; whether it is so."""
        now, seen = time.monotonic(), hash(frozenset(folders))
        if found or seen != self._folders:
            self._folders, self._since = seen, now
        return not found and now - self._since >= self._patience_s
