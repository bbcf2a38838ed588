"""The electric power of the hosts, and of the front end: it can be cut off, and comes back, while the cloud runs.

The file `STATE/powerless/NAME` cuts the power of host NAME off for as long as it is there, so that anyone can do it,
from a shell or another process. So does the file `STATE/lost` to the front end: its API and OneGate hang up, nothing is
scheduled or monitored, and the guests, which are on their hosts, go on.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING
from urllib.parse import quote

from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from pathlib import Path


class Power:
    """Which hosts of a cloud have power.

    Parameters
    ----------
    state
        The cloud's folder.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._folder = state / "powerless"
        self._seen: frozenset[str] = frozenset()
        self._lost = state / "lost"

    def is_cut(self, host: str) -> bool:
        """Whether a host is without power."""
        return host not in {".", ".."} and self._file(host).is_file()

    def cut(self, host: str) -> None:
        """Take the power from a host: its guests are gone at once.

        Raises
        ------
        EmulatorError
            When the cloud has no host of that name.
        """
        self._check(host)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._file(host).touch(mode=0o600)

    def restore(self, host: str) -> None:
        """Give a host its power back.

        Raises
        ------
        EmulatorError
            When the cloud has no host of that name.
        """
        self._check(host)
        self._file(host).unlink(missing_ok=True)

    def lose_front_end(self) -> None:
        """Take the power from the front end.

        Raises
        ------
        EmulatorError
            When the folder holds no cloud.
        """
        host_names(self._state)
        self._lost.touch(mode=0o600)

    def restore_front_end(self) -> None:
        """Give the front end its power back: it goes on where it was."""
        self._lost.unlink(missing_ok=True)

    def front_end_is_lost(self) -> bool:
        """Whether the front end is without power."""
        return self._lost.exists()

    def has_changed(self) -> bool:
        """Whether it was cut off or came back anywhere since this was asked last."""
        now: frozenset[str] = frozenset()
        with contextlib.suppress(FileNotFoundError):
            now = frozenset(path.name for path in self._folder.iterdir())
        changed, self._seen = now != self._seen, now
        return changed

    def _file(self, host: str) -> Path:
        return self._folder / quote(host, safe=" ")

    def _check(self, host: str) -> None:
        known = host_names(self._state)
        if host not in known:
            raise EmulatorError(f"the embedded cloud in {self._state} has no host {host!r}; it has {', '.join(known)}")


def host_names(state: Path) -> list[str]:
    """Names of the hosts of the cloud that a folder holds, running or not.

    Raises
    ------
    EmulatorError
        When the folder holds no cloud.
    """
    place = state / "state.sqlite"
    if not place.is_file():
        raise EmulatorError(f"{state} holds no embedded cloud; name the --state folder of one")
    query = "SELECT body ->> 'NAME' FROM object WHERE kind = 'host' ORDER BY oid"
    try:
        with contextlib.closing(sqlite3.connect(f"{place.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return [str(row[0]) for row in connection.execute(query)]
    except sqlite3.Error as error:
        raise EmulatorError(f"cannot read the state of the embedded cloud in {state}: {error}") from error
