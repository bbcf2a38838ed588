"""The admin's own identity, which opens the community's keys."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

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
        Whether the file was made just now.
    """

    path: Path
    secrets: tuple[str, ...] = field(repr=False)
    recipient: str
    made: bool = False


def identity_path() -> Path:
    """Where the identity lies: $GURNEY_IDENTITY, or identity.txt in the user's configuration folder."""
    named = os.environ.get("GURNEY_IDENTITY")
    return Path(named) if named else user_config_path("gurney") / "identity.txt"


def own_identity(path: Path | None = None) -> Identity:
    """The admin's identity; made, in a file for its owner alone, where there is none.

    Raises
    ------
    NoIdentity
        When the file holds no identity.
    OSError
        When it cannot be read or made.
    """
    path = path or identity_path()
    made = not path.exists()
    if made:
        write_secret(path, f"# Gurney: opens the keys of your communities. Keep it.\n{SealingKey.generate().text}\n")
    secrets = identities_in(path.read_text(encoding="utf-8"))
    if not secrets:
        raise NoIdentity(f"{path} holds no age identity and no OpenSSH private key")
    return Identity(path, secrets, recipient_of(secrets[0]), made)


def write_secret(path: Path, text: str) -> None:
    """Write a new file that its owner alone can read, wholly and durably."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
