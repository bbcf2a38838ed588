"""The community's keys: what signs directories and settings, locked to the admins who may use them."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)
from pydantic.dataclasses import dataclass as document

from exchange.authority import Authority
from exchange.canonical import STRICT, Document
from exchange.errors import CannotOpen, Malformed
from exchange.keys import SealingKey, SigningKey, VerifyKey
from exchange.sealing import seal as sealed_to

_SSH_HEADER = "-----BEGIN"
_AGE_HEADER = "AGE-SECRET-KEY-1"

_IDENTITIES: dict[str, Callable[[str], Any]] = {
    _AGE_HEADER: pyrage.x25519.Identity.from_str,
    _SSH_HEADER: lambda text: pyrage.ssh.Identity.from_buffer(text.encode() + b"\n"),
}


@document(frozen=True, config=STRICT)
class _Locked(Document):
    sign: str
    seal: str
    recovery: str
    authority: str = ""
    next_authority: str = ""


@dataclass(frozen=True)
class CommunityKeys:
    """The working keys, and the public half of the recovery key that lies offline.

    The recovery key is one Ed25519 key in OpenSSH's form, which signs, and to which `age` can seal as well:
    one text to keep in a safe restores all. `authority` signs certificates; keys from before there was one have none.
    `next_authority` is announced to take its place.
    """

    sign: SigningKey
    seal: SealingKey
    recovery: VerifyKey
    authority: Authority | None = None
    next_authority: Authority | None = None

    @classmethod
    def generate(cls) -> tuple[Self, str]:
        """New keys, and the secret text of the recovery key, to be shown once and kept nowhere."""
        secret = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        recovery = recovery_key(secret.decode()).public
        return cls(SigningKey.generate(), SealingKey.generate(), recovery, Authority.generate()), secret.decode()

    def with_authority(self) -> Self:
        """The same, with an authority if there was none."""
        return self if self.authority is not None else replace(self, authority=Authority.generate())

    def with_next_authority(self) -> Self:
        """The same, with an announced authority if there was none."""
        return self if self.next_authority is not None else replace(self, next_authority=Authority.generate())

    def with_authority_replaced(self) -> Self:
        """The same with another authority: the one that was announced, or a new one."""
        return replace(self, authority=self.next_authority or Authority.generate(), next_authority=None)

    @property
    def trusted(self) -> tuple[VerifyKey, VerifyKey]:
        """The keys that may sign for the community."""
        return self.sign.public, self.recovery

    def locked(self, recipients: Sequence[str]) -> str:
        """The keys as lines of ASCII that each of the admins can open, and who holds the recovery key.

        Parameters
        ----------
        recipients
            The admins' own keys: `age1...`, `ssh-ed25519 ...` or `ssh-rsa ...`, at least one.
        """
        if not recipients:
            raise ValueError("keys locked to no admin could be used with the recovery key only")
        authorities = (each.text if each is not None else "" for each in (self.authority, self.next_authority))
        content = _Locked(self.sign.text, self.seal.text, self.recovery.text, *authorities)
        return sealed_to(content.encode(), [*recipients, _ssh_recipient(self.recovery)], armored=True).decode()


def unlocked(text: str, identities: Sequence[str]) -> CommunityKeys:
    """The keys, opened with one of an admin's identities, or with the recovery secret.

    Raises
    ------
    CannotOpen
        None of the identities opens it.
    Malformed
        An identity is neither an `age` nor an unencrypted OpenSSH one.
    """
    try:
        content = pyrage.decrypt(text.strip().encode() + b"\n", [_identity(identity) for identity in identities])
    except pyrage.DecryptError as error:
        raise CannotOpen(f"none of your identities opens the community's keys: {error}") from None
    fields = _Locked.decode(content)
    return CommunityKeys(
        SigningKey.from_text(fields.sign),
        SealingKey.from_text(fields.seal),
        VerifyKey(fields.recovery),
        *(Authority(text) if text else None for text in (fields.authority, fields.next_authority)),
    )


def identities_in(text: str) -> tuple[str, ...]:
    """The identities in an `age` identity file, or the one in an OpenSSH private key file."""
    if text.lstrip().startswith(_SSH_HEADER):
        return (text,)
    return tuple(line.strip() for line in text.splitlines() if line.startswith(_AGE_HEADER))


def recipient_of(identity: str) -> str:
    """What others lock to, so that this identity opens it: `age1...` or `ssh-ed25519 ...`."""
    if identity.lstrip().startswith(_SSH_HEADER):
        return _ssh_recipient(recovery_key(identity).public)
    return SealingKey.from_text(identity).public


def recovery_key(secret: str) -> SigningKey:
    """The recovery secret as a key that signs; raises `Malformed`."""
    try:
        private = load_ssh_private_key(secret.encode(), password=None)
    except (ValueError, TypeError):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise Malformed("not an unencrypted ed25519 key in OpenSSH's form")
    return SigningKey(base64.b64encode(private.private_bytes_raw()).decode())


def _ssh_recipient(key: VerifyKey) -> str:
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(key.text))
    return public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _identity(text: str) -> Any:
    parse = next((parse for header, parse in _IDENTITIES.items() if text.lstrip().startswith(header)), None)
    try:
        if parse is not None:
            return parse(text.strip())
    except pyrage.IdentityError as error:
        raise Malformed(f"an identity cannot be used: {error}") from None
    raise Malformed("not an identity: expected AGE-SECRET-KEY-1... or an unencrypted OpenSSH private key")
