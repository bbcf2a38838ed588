"""The file of an admin's identity, and other secrets: wholly there, or not at all."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exchange.community import identities_in
from provision.enrolling import identity
from provision.enrolling.identity import own_identity, write_secret

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

#: No file may grow: writing fails with EFBIG, as it does with ENOSPC on a full disk.
NO_ROOM = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); "
MAKE = "from cli.main import exit_of; import sys; sys.exit(exit_of(sys.argv[1:]))"


def gurney_identity(path: Path, before: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"{before}{MAKE}", "identity"]
    environment = {"GURNEY_IDENTITY": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_a_full_disk_leaves_no_empty_identity_that_blocks_all_that_follows(tmp_path: Path) -> None:
    path = tmp_path / "config" / "identity.txt"
    full = gurney_identity(path, NO_ROOM)
    assert full.returncode != 0
    assert "File too large" in full.stderr
    assert "Traceback" not in full.stderr
    assert list(path.parent.iterdir()) == []
    assert gurney_identity(path).returncode == 0
    assert len(identities_in(path.read_text())) == 1
    assert [each.name for each in path.parent.iterdir()] == ["identity.txt"]


def test_a_file_that_stands_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "identity.txt"
    write_secret(path, "first")
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_secret(path, "second")
    assert path.read_text() == "first"
    assert [each.name for each in tmp_path.iterdir()] == ["identity.txt"]


def test_where_there_are_no_hard_links_it_is_the_same(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch.object(identity.os, "link", side_effect=PermissionError(1, "Operation not permitted"))
    own = own_identity(tmp_path / "identity.txt")
    own.keep()
    assert own_identity(own.path).secrets == own.secrets
    assert own.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        write_secret(own.path, "second")
    assert [each.name for each in tmp_path.iterdir()] == ["identity.txt"]
