"""Unpacking without root: what was given to users of a namespace is gone when it fails or is interrupted."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.image.unprivileged import ROOT, Account, new_account
from tests.image.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

#: Of Debian's `_apt` in the image: nobody but a subordinate user of the account can list or empty it.
CLOSED, APT, LARGE = "./var/lib/apt/lists/partial", 42, "./var/lib/large"
PROGRAM = """
import sys
from pathlib import Path
from cli.ending import ended_by_signals
from provision.image.digest import Tree
from provision.image.disk import make_disk
from provision.image.errors import ImageNotBuilt
from provision.image.workplace import work_folder
try:
    with ended_by_signals(), work_folder() as work:
        print(make_disk(work, Tree(Path(sys.argv[1]), "d" * 64, 1, 1), 1_700_000_000).stat().st_blocks > 0)
except ImageNotBuilt as error:
    sys.exit(f"not built: {error}")
except KeyboardInterrupt:
    sys.exit(130)
"""
LIMIT_S = 240


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return new_account(tmp_path / "account")


def tree() -> bytes:
    """An archive with a folder that is another user's alone, a file in it, and one of a megabyte beside it.

    tar gives a folder away when it comes to what is no longer in it.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, kind, size in (
            (CLOSED, tarfile.DIRTYPE, 0),
            (f"{CLOSED}/lock", tarfile.REGTYPE, 1),
            (LARGE, tarfile.REGTYPE, 1 << 20),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.size, member.mode, member.uid, member.gid = kind, size, 0o700, APT, APT
            archive.addfile(member, io.BytesIO(bytes(size)))
    return out.getvalue()


def start(account: Account, tar: Path) -> subprocess.Popen[str]:
    words = account.command(sys.executable, "-c", PROGRAM, str(tar))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(words, cwd=ROOT, env=account.environment(), **pipes)  # type: ignore[call-overload, no-any-return]


def test_who_is_not_root_makes_a_disk(account: Account) -> None:
    (account.home / "tree.tar").write_bytes(tree())
    process = start(account, account.home / "tree.tar")
    said, words = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, said) == (0, "True\n"), words
    assert list((account.home / "tmp").iterdir()) == []


def test_archive_that_ends_early_leaves_nothing(account: Account) -> None:
    (account.home / "tree.tar").write_bytes(tree()[: -(1 << 20)])
    process = start(account, account.home / "tree.tar")
    _, words = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 1
    assert "not built: " in words
    assert "Unexpected EOF in archive" in words
    assert list((account.home / "tmp").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_unpacking_leaves_nothing(account: Account, number: signal.Signals) -> None:
    """The archive is a pipe, in which the rest does not come until the signal has."""
    pipe = account.home / "tree.tar"
    os.mkfifo(pipe)
    account.give(pipe)
    process = start(account, pipe)
    with pipe.open("wb", buffering=0) as rest:
        rest.write(tree()[: 40 * 1024])
        until(lambda: list((account.home / "tmp").glob(f"*/root/{LARGE}")), "the unpacking", LIMIT_S)
        process.send_signal(number)
        _, words = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130, words
    assert list((account.home / "tmp").iterdir()) == []
