"""Sealing to recipients in the `age` format, which Debian's `age` opens as well.

References
----------
https://age-encryption.org/v1
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import pyrage

from exchange.errors import CannotOpen, Malformed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.keys import SealingKey

_T = TypeVar("_T")
_CHUNK = 65536
_TAG = 16
_HEADER_LIMIT = 4096
"""Header of one to ten recipients with its random grease stanza; measured 200 to 900 bytes."""

_RECIPIENTS: dict[str, Callable[[str], Any]] = {
    "age1": pyrage.x25519.Recipient.from_str,
    "ssh-": pyrage.ssh.Recipient.from_str,
}


def seal(plain: bytes, recipients: Sequence[str], *, armored: bool = False) -> bytes:
    """The bytes, readable by the holders of the recipients' keys only.

    Parameters
    ----------
    plain
        What is sealed; it and the result are in memory.
    recipients
        `age1...` or `ssh-ed25519 ...`, at least one.
    armored
        As ASCII lines instead of bytes.
    """
    return bytes(pyrage.encrypt(plain, _parsed(recipients), armored=armored))


def unseal(sealed: bytes, key: SealingKey) -> bytes:
    """What was sealed to the key, all of it.

    Raises
    ------
    CannotOpen
        Sealed to somebody else, changed, or cut off.
    """
    target = io.BytesIO()
    unseal_stream(io.BytesIO(sealed), target, key)
    return target.getvalue()


def seal_stream(source: BinaryIO, target: BinaryIO, recipients: Sequence[str]) -> None:
    """Seal all that comes out of `source` into `target`, in pieces of 64 KiB."""
    reading, writing = _Tapped(source), _Tapped(target)
    try:
        pyrage.encrypt_io(reading, writing, _parsed(recipients))
    except (pyrage.EncryptError, OSError):
        _raise_own(reading, writing)
        raise


def unseal_stream(source: BinaryIO, target: BinaryIO, key: SealingKey) -> None:
    """Unseal all of `source` into `target`, in pieces of 64 KiB.

    Each piece is authentic when it is written; that none is missing is known at the end only.

    Raises
    ------
    CannotOpen
        Sealed to somebody else, changed, or cut off: what was written must be thrown away.
    """
    reading, writing = _Tapped(source), _Tapped(target)
    try:
        pyrage.decrypt_io(reading, writing, [key.identity])
    except (pyrage.DecryptError, OSError) as error:
        _raise_own(reading, writing)
        raise CannotOpen(f"cannot be opened with this key: {error}") from None


def sealed_limit(plain_size: int) -> int:
    """The most bytes that `plain_size` bytes can have when sealed."""
    chunks = plain_size // _CHUNK + 1
    return _HEADER_LIMIT + plain_size + chunks * _TAG


def is_recipient(text: str) -> bool:
    """Whether something can be sealed to this."""
    try:
        _parsed([text])
    except Malformed:
        return False
    return True


def _parsed(recipients: Sequence[str]) -> list[Any]:
    return [_recipient(text) for text in recipients]


def _recipient(text: str) -> Any:
    parse = _RECIPIENTS.get(text[:4])
    try:
        if parse is not None:
            return parse(text)
    except pyrage.RecipientError:
        pass
    raise Malformed("not a recipient: expected age1... or ssh-ed25519 ...")


class _Tapped:
    """A stream whose own error is kept: pyrage hands it on as text, without its type and errno."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.error: BaseException | None = None

    def read(self, size: int) -> bytes:
        return self._tap(self._stream.read, size)

    def write(self, piece: bytes) -> int:
        return self._tap(self._stream.write, piece)

    def flush(self) -> None:
        self._tap(self._stream.flush)

    def _tap(self, action: Callable[..., _T], *arguments: Any) -> _T:
        try:
            return action(*arguments)
        except BaseException as error:
            self.error = error
            raise


def _raise_own(*streams: _Tapped) -> None:
    for stream in streams:
        if stream.error is not None:
            raise stream.error from None
