"""The admin's own identity, which opens the community's keys."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex

from platformdirs import user_config_path

from exchange.community import identities_in, recipient_of
from exchange.keys import SealingKey
from provision.errors import NoIdentity


@dataclass(frozen=True)
class Identity:
    """An `age` identity (or an OpenSSH key) in a file of the admin's.

    Attributes
    ----------
    path
        The file.
    secrets
        What opens; never shown.
    recipient
        What the community's keys are locked to, so that this identity opens them.
    made
        Whether it is new, and its file is written by `keep` alone: looking at a cloud writes nothing.
    """

    path: Path
    secrets: tuple[str, ...] = field(repr=False)
    recipient: str
    made: bool = False

    def keep(self) -> None:
        """Write the file of a new identity, before anything is locked to it.

        Raises
        ------
        OSError
            When it cannot be written, or another process has made one meanwhile.
        """
        if self.made and not self._is_kept():
            text = "\n".join(self.secrets)
            write_secret(self.path, f"# Gurney: opens the keys of your communities. Keep it.\n{text}\n")

    def _is_kept(self) -> bool:
        return self.path.exists() and identities_in(self.path.read_text(encoding="utf-8")) == self.secrets


def identity_path() -> Path:
    """Where the identity lies: $GURNEY_IDENTITY, or identity.txt in the user's configuration folder."""
    named = os.environ.get("GURNEY_IDENTITY")
    return Path(named) if named else user_config_path("gurney") / "identity.txt"


def own_identity(path: Path | None = None) -> Identity:
    """The admin's identity; where there is none a new one, which is not written yet.

    Raises
    ------
    NoIdentity
        When the file holds no identity.
    OSError
        When it cannot be read.
    """
    path = path or identity_path()
    made = not path.exists()
    secrets = (SealingKey.generate().text,) if made else identities_in(path.read_text(encoding="utf-8"))
    if not secrets:
        raise NoIdentity(f"{path} holds no age identity and no OpenSSH private key")
    return Identity(path, secrets, recipient_of(secrets[0]), made)


def write_secret(path: Path, text: str) -> None:
    """Write a new file that its owner alone can read: all of it is there and durable, or nothing is.

    Raises
    ------
    OSError
        When it cannot be written, or stands already.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{token_hex(8)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _named(part, path)
    finally:
        part.unlink(missing_ok=True)


def _named(part: Path, path: Path) -> None:
    """Give a file its name, which nothing else may have; a name is durable once its folder is."""
    try:
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: FAT, some of SMB
        with path.open("x"):
            part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
