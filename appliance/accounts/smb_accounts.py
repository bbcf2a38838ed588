"""Who may open the shared folder: written beside the archive for the VM's Samba, whenever it changes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sqlalchemy import select

from appliance.people_tables import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from appliance.index.engine import Index

FILE = "smb-accounts"
#: Made after each change, and taken away by who takes the change over: a change in the middle of that is not lost.
CHANGED = f"{FILE}.changed"
PAUSE_S = 2.0


class SmbAccounts:
    """The file of accounts: one line `login:hash` a person who has set a password, `login:hash:right` with the inbox.

    It is derived from the index and may be deleted at any time. A program that runs as root reads it
    (`appliance.boot.accounts`): the service itself can make no accounts.

    Parameters
    ----------
    index
        Where the hashes are kept.
    folder
        The archive's.
    inbox
        Login to right of those to whom the inbox is open.
    """

    def __init__(self, index: Index, folder: Path, inbox: Callable[[], Mapping[str, str]] = dict) -> None:
        self._index = index
        self._inbox = inbox
        self._file = folder / FILE

    def publish(self) -> None:
        """Write the file if it does not say what the index says."""
        rights = self._inbox()
        with self._index.session() as session:
            query = select(Account.login, Account.smb_hash).where(Account.smb_hash.is_not(None)).order_by(Account.login)
            text = "".join(_line(login, str(digest), rights.get(login)) for login, digest in session.execute(query))
        if not self._file.is_file() or self._file.read_text() != text:
            self._write(text)

    def _write(self, text: str) -> None:
        new = self._file.with_name(f"{FILE}.new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        new.replace(self._file)
        self._file.with_name(CHANGED).touch()


def _line(login: str, digest: str, right: str | None) -> str:
    return ":".join((login, digest, right) if right else (login, digest)) + "\n"
