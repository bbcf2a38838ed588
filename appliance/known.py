"""What was last read of the exchange and believed: it outlives the process, and never goes back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from appliance.people_tables import Remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from appliance.index.engine import Index


class Versioned(Protocol):
    """A directory, or settings."""

    @property
    def version(self) -> int:
        """Its number; a higher one replaces a lower."""

    def encode(self) -> bytes:
        """Its canonical text."""


T = TypeVar("T", bound=Versioned)


class Known(Generic[T]):
    """The newest of one kind; read by any thread, changed by one.

    Parameters
    ----------
    index
        Where it is remembered.
    kind
        Its name there.
    decode
        What makes it of its canonical text.
    """

    def __init__(self, index: Index, kind: str, decode: Callable[[bytes], T]) -> None:
        self._index = index
        self._kind = kind
        self._decode = decode
        self.value: T | None = None

    @property
    def floor(self) -> int:
        """The version below which nothing is taken."""
        return self.value.version if self.value is not None else 0

    def restore(self) -> None:
        """Read what was remembered before the process was started."""
        with self._index.session() as session:
            kept = session.get(Remembered, self._kind)
            self.value = self._decode(kept.body) if kept is not None else None

    def take(self, value: T, *along: Callable[[Session], None]) -> None:
        """Remember a newer one, and do what goes along with it in the same transaction; then use it."""
        kept = Remembered(kind=self._kind, version=value.version, body=value.encode(), taken=datetime.now(UTC))
        with self._index.writing() as session:
            session.merge(kept)
            for deed in along:
                deed(session)
        self.value = value
