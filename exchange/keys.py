"""A branch's keys: one to sign with, one that others seal to; made in the appliance, never leaving it."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Self

import pyrage
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import AfterValidator
from pydantic.dataclasses import dataclass as document

from exchange.canonical import STRICT, Document
from exchange.errors import AlreadyThere, BadSignature, Malformed, NotThere
from exchange.folder import Folder
from exchange.sealing import is_recipient

_FILE = "branch-keys.json"
_MAX_FILE_BYTES = 4096


@dataclass(frozen=True)
class VerifyKey:
    """The public half of a signing key: 32 bytes of Ed25519 as base64."""

    text: str

    def __post_init__(self) -> None:
        _raw(self.text)

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise `BadSignature` unless this key signed the message."""
        try:
            Ed25519PublicKey.from_public_bytes(_raw(self.text)).verify(signature, message)
        except InvalidSignature:
            raise BadSignature("the signature is not of this key") from None

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether this key signed the message."""
        try:
            self.verify(signature, message)
        except BadSignature:
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """An Ed25519 key; `text` is its secret seed as base64."""

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        _raw(self.text)

    @classmethod
    def generate(cls) -> Self:
        """A new one, from the operating system's randomness."""
        return cls(base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode())

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The key that `text` is; raises `Malformed`."""
        return cls(text.strip())

    @property
    def public(self) -> VerifyKey:
        """What others verify with."""
        return VerifyKey(base64.b64encode(self._private.public_key().public_bytes_raw()).decode())

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._private.sign(message)

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(_raw(self.text))


@dataclass(frozen=True)
class SealingKey:
    """An `age` X25519 identity; `text` is the secret `AGE-SECRET-KEY-1...`."""

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        _ = self.identity

    @classmethod
    def generate(cls) -> Self:
        """A new one, from the operating system's randomness."""
        return cls(str(pyrage.x25519.Identity.generate()))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """The key that `text` is; raises `Malformed`."""
        return cls(text.strip())

    @cached_property
    def identity(self) -> Any:
        """As pyrage wants it."""
        try:
            return pyrage.x25519.Identity.from_str(self.text)
        except pyrage.IdentityError:
            raise Malformed("not an age identity: expected AGE-SECRET-KEY-1...") from None

    @property
    def public(self) -> str:
        """What others seal to: `age1...`."""
        return str(self.identity.to_public())


def _checked(check: Callable[[str], bool], expected: str) -> AfterValidator:
    def checked(text: str) -> str:
        if not check(text):
            raise ValueError(f"expected {expected}")
        return text

    return AfterValidator(checked)


def _is_verify_key(text: str) -> bool:
    try:
        VerifyKey(text)
    except Malformed:
        return False
    return True


def _is_age_recipient(text: str) -> bool:
    return text.startswith("age1") and is_recipient(text)


@document(frozen=True, config=STRICT)
class PublicKeys(Document):
    """What a branch shows of its keys."""

    sign: Annotated[str, _checked(_is_verify_key, "32 bytes of Ed25519 as base64")]
    seal: Annotated[str, _checked(_is_age_recipient, "an age recipient, age1...")]

    @property
    def fingerprint(self) -> str:
        """100 bits over both keys in five groups: short enough to read from a console, too long to hit by trying."""
        digest = hashlib.sha256(f"gurney keys\n{self.sign}\n{self.seal}".encode()).digest()
        letters = base64.b32encode(digest).decode()[:20]
        return "-".join(letters[start : start + 4] for start in range(0, 20, 4))

    @property
    def verify_key(self) -> VerifyKey:
        """The signing half."""
        return VerifyKey(self.sign)


@dataclass(frozen=True)
class BranchKeys:
    """Both keys of a branch, secret halves included."""

    sign: SigningKey
    seal: SealingKey

    @classmethod
    def generate(cls) -> Self:
        """Two new keys."""
        return cls(SigningKey.generate(), SealingKey.generate())

    @property
    def public(self) -> PublicKeys:
        """What the directory says of them."""
        return PublicKeys(sign=self.sign.public.text, seal=self.seal.public)


@document(frozen=True, config=STRICT)
class _Saved(Document):
    sign: str
    seal: str


def save_keys(folder: Path, keys: BranchKeys) -> None:
    """Write the keys, for their owner's eyes only (0600), whole or not at all; raises `AlreadyThere`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    saved = _Saved(sign=keys.sign.text, seal=keys.seal.text)
    Folder(folder, mode=0o600).put(_FILE, saved.encode())


def load_keys(folder: Path) -> BranchKeys:
    """The keys that lie in the folder; raises `NotThere`."""
    if not folder.is_dir():
        raise NotThere(f"no keys in {folder}")
    saved = _Saved.decode(Folder(folder).read(_FILE, _MAX_FILE_BYTES))
    return BranchKeys(SigningKey.from_text(saved.sign), SealingKey.from_text(saved.seal))


def own_keys(folder: Path) -> BranchKeys:
    """The keys in the folder, made now if this is the first start."""
    try:
        return load_keys(folder)
    except NotThere:
        pass
    with suppress(AlreadyThere):  # a second process was first
        save_keys(folder, BranchKeys.generate())
    return load_keys(folder)


def _raw(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if len(raw) != 32 or base64.b64encode(raw).decode() != text:
        raise Malformed("not an Ed25519 key: expected 32 bytes as base64")
    return raw
