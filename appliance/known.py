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
        self._signer = ""
        self._of_this_signer = True
        self.value: T | None = None

    @property
    def floor(self) -> int:
        """The version below which nothing is taken; 0 while what is known was signed by a former community's key."""
        return self.value.version if self.value is not None and self._of_this_signer else 0

    def restore(self, signer: str) -> None:
        """Read what was remembered before the process was started.

        Parameters
        ----------
        signer
            The community's key, from our context: versions are counted anew under another one, for who stole the
            former may have used up its numbers. What is known stays in use until there is something newer.
        """
        self._signer = signer
        with self._index.writing() as session:
            kept, under = session.get(Remembered, self._kind), session.get(Remembered, f"{self._kind} signer")
            self.value = self._decode(kept.body) if kept is not None else None
            self._of_this_signer = under is None or under.body == signer.encode()
            if kept is not None and under is None:
                session.merge(self._under(kept.version))

    def take(self, value: T, *along: Callable[[Session], None]) -> None:
        """Remember a newer one, and do what goes along with it in the same transaction; then use it."""
        kept = Remembered(kind=self._kind, version=value.version, body=value.encode(), taken=datetime.now(UTC))
        with self._index.writing() as session:
            session.merge(kept)
            session.merge(self._under(value.version))
            for deed in along:
                deed(session)
        self.value, self._of_this_signer = value, True

    def _under(self, version: int) -> Remembered:
        """Which key of the community's was in our context when a version was taken."""
        body = self._signer.encode()
        return Remembered(kind=f"{self._kind} signer", version=version, body=body, taken=datetime.now(UTC))
