"""`python -m appliance.redaction ARCHIVE`: lets a text through without what says whose images an appliance keeps.

The service logs no patient's name; this is the second line, for what a support case takes out of the hospital. It
reads the names from the index, and lets nothing through where it cannot.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INDEX = "index.sqlite"
_REFERRALS = ("sent_referral", "received_referral", "referral_attempt")
#: What names a person or a visit: (table, column). Where a table or column is missing, the index is older.
NAMING = (
    *(("patient", column) for column in ("patient_id", "name", "birth_date")),
    *(("study", column) for column in ("accession_number", "patient_name", "patient_birth_date")),
    *((table, column) for table in _REFERRALS for column in ("patient_id", "patient_name")),
)
#: Shorter words stand in every text; a name of one or two Latin letters is not taken for one.
SHORTEST = 3
MARK = "[patient]"
#: PS3.5 9.1: a UID has up to 64 characters. An address has four numbers, a version fewer.
_UID = re.compile(r"(?<![\d.])\d+(?:\.\d+){5,}(?![\d.])")
_COARSE = re.compile(r"[^\s\"'/=,:;()\[\]{}<>|^]+")
_WORD = re.compile(r"[^\W_]+")


class Redaction:
    """What is taken out of texts."""

    def __init__(self, values: Iterable[str]) -> None:
        self._words = {word for value in values for word in _words_of(value) if len(word) >= SHORTEST}

    def of(self, text: str) -> str:
        """The text without names, numbers of patients and visits, birth dates and UIDs.

        Every word with a letter beyond ASCII is taken out as well: texts of programs have none.
        """
        text = _UID.sub("[uid]", text)
        text = _COARSE.sub(lambda found: MARK if found[0].casefold() in self._words else found[0], text)
        return _WORD.sub(lambda found: MARK if self._names(found[0]) else found[0], text)

    def _names(self, word: str) -> bool:
        return not word.isascii() or word.casefold() in self._words


def values_of(index: Path) -> Iterator[str]:
    """Every value of the index that names a person or a visit."""
    with closing(sqlite3.connect(f"file:{index}?mode=rw", uri=True, timeout=10)) as connection:
        for table, column in NAMING:
            known = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            if column in known:
                question = f"SELECT DISTINCT {column} FROM {table}"  # noqa: S608 - both are words of this file
                yield from (str(value) for (value,) in connection.execute(question) if value)


def _words_of(value: str) -> Iterator[str]:
    """A value as it may stand in a text: whole, in its parts, and a date (PS3.5 6.2, DA) as people write it."""
    folded = value.casefold()
    yield folded
    yield from _COARSE.findall(folded)
    yield from _WORD.findall(folded)
    if re.fullmatch(r"\d{8}", folded):
        yield f"{folded[:4]}-{folded[4:6]}-{folded[6:]}"


def main(arguments: list[str]) -> int:
    """Read standard input, write it redacted; 1 where the names cannot be read, and nothing is let through."""
    archive = Path(arguments[0])
    text = sys.stdin.buffer.read().decode("utf-8", "replace")
    try:
        become_owner(archive)
        values = list(values_of(archive / INDEX)) if not _is_new(archive) else []
    except (OSError, sqlite3.Error) as error:
        print(f"left out, since the index that tells the patients' names cannot be read: {error}")  # noqa: T201
        return 1
    sys.stdout.write(Redaction(values).of(text))
    return 0


def _is_new(archive: Path) -> bool:
    """Whether its disk is mounted and no service has opened it yet: it would have left a lock, folders and an index."""
    return os.path.ismount(archive.parent) and archive.is_dir() and not any(archive.iterdir())


def become_owner(archive: Path) -> None:
    """As root, become the service's user: what root would leave beside the index, the service could not write."""
    if os.geteuid() == 0 and archive.exists():
        owner = archive.stat()
        os.setgroups([])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
