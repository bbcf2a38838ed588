"""The archive's disk: formatted once, only if empty, and never what is somebody else's."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from appliance.boot.archive_disk import STATE, choose, claim, mount_archive
from appliance.boot.machine import Machine, Trouble
from appliance.boot.volume import BLOCK, MARK, Kind, Volume, look, make_archive

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 64 * 1024 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    with path.open("wb") as file:
        file.truncate(SIZE)
    return path


def put(disk: Path, at: int, content: bytes) -> None:
    with disk.open("r+b") as file:
        file.seek(at)
        file.write(content)


def test_empty_disk_becomes_the_archive_and_stays_it(disk: Path) -> None:
    empty = look(disk)
    assert empty.kind is Kind.EMPTY
    made = make_archive(empty)
    assert made.kind is Kind.OURS
    assert SIZE - 2 * BLOCK <= made.used < SIZE
    subprocess.run(["e2fsck", "-fn", str(disk)], check=True, capture_output=True)
    with pytest.raises(ValueError, match="not empty"):
        make_archive(made)


@pytest.mark.parametrize("at", [0, 512, 1080, 2 * 1024 * 1024, SIZE // 2, SIZE - 512])
def test_disk_with_anything_at_a_place_that_is_looked_at_is_foreign(disk: Path, at: int) -> None:
    put(disk, at, b"x")
    volume = look(disk)
    assert volume.kind is Kind.FOREIGN
    before = disk.read_bytes()
    with pytest.raises(ValueError, match="not empty"):
        make_archive(volume)
    assert disk.read_bytes() == before


@pytest.mark.parametrize("tool", [["mke2fs", "-q", "-F", "-L", "data"], ["mkfs.fat"], ["mkswap"]])
def test_file_systems_of_others_are_foreign(disk: Path, tool: list[str]) -> None:
    subprocess.run(
        [*tool, str(disk)], check=True, capture_output=True, env={**os.environ, "PATH": "/usr/sbin:/usr/bin"}
    )
    assert look(disk).kind is Kind.FOREIGN


def test_formatting_that_was_cut_off_is_finished(disk: Path) -> None:
    put(disk, SIZE - BLOCK, MARK)
    put(disk, 3 * 1024 * 1024, b"half of an inode table")
    unfinished = look(disk)
    assert unfinished.kind is Kind.UNFINISHED
    assert make_archive(unfinished).kind is Kind.OURS


def test_grown_disk_is_still_the_archive_and_can_grow(disk: Path) -> None:
    make_archive(look(disk))
    os.truncate(disk, 2 * SIZE)
    volume = look(disk)
    assert (volume.kind, volume.size) == (Kind.OURS, 2 * SIZE)
    assert volume.used < SIZE
    subprocess.run(["e2fsck", "-fp", str(disk)], check=True, capture_output=True)
    subprocess.run(["resize2fs", str(disk)], check=True, capture_output=True)
    assert look(disk).used == 2 * SIZE


def volume_of(kind: Kind, path: Path) -> Volume:
    return Volume(path, kind, SIZE)


def test_the_archive_is_preferred_to_an_empty_disk(tmp_path: Path) -> None:
    volumes = [volume_of(Kind.FOREIGN, tmp_path / "a"), volume_of(Kind.EMPTY, tmp_path / "b")]
    chosen = choose(volumes)
    assert chosen is not None
    assert chosen.kind is Kind.EMPTY
    both = choose([*volumes, volume_of(Kind.OURS, tmp_path / "c")])
    assert both is not None
    assert both.kind is Kind.OURS
    assert choose(volumes[:1]) is None


def test_two_archives_are_not_guessed_between(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="more than one"):
        choose([volume_of(Kind.OURS, tmp_path / "vdb"), volume_of(Kind.OURS, tmp_path / "vdc")])


def test_archive_of_another_branch_is_refused(tmp_path: Path) -> None:
    erode = {"GURNEY_COMMUNITY": "kongu", "GURNEY_BRANCH": "erode"}
    claim(tmp_path, erode)
    claim(tmp_path, erode)
    with pytest.raises(Trouble, match="belongs to kongu/erode, this VM is kongu/salem"):
        claim(tmp_path, {**erode, "GURNEY_BRANCH": "salem"})


def test_mounted_archive_is_refused_to_a_context_that_has_become_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may rewrite a VM's context gets no other branch's archive by it, and claims none whose note is gone."""
    machine, erode = Machine(tmp_path), {"GURNEY_COMMUNITY": "kongu", "GURNEY_BRANCH": "erode"}
    point = machine.path(STATE)
    point.mkdir(parents=True)
    monkeypatch.setattr(os.path, "ismount", lambda path: path == point)
    with pytest.raises(Trouble, match="whose it is"):
        mount_archive(machine, erode)
    assert not list(point.iterdir())
    claim(point, erode)
    assert mount_archive(machine, erode) == point
    with pytest.raises(Trouble, match="belongs to kongu/erode, this VM is kongu/salem"):
        mount_archive(machine, {**erode, "GURNEY_BRANCH": "salem"})
    with pytest.raises(Trouble, match="whose archive"):
        mount_archive(machine, {})


def test_nobody_claims_an_archive(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="whose archive"):
        claim(tmp_path, {})
    assert not list(tmp_path.iterdir())
