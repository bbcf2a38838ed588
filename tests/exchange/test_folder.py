"""The store in a folder: what writers leave and what readers touch."""

from __future__ import annotations

import ctypes
import os
import threading
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from exchange.errors import AlreadyThere, NotThere, TooLarge, Unreachable, UnsafeEntry
from exchange.folder import Folder
from exchange.store import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_is_put_is_listed_and_read(folder: Folder) -> None:
    folder.put("a/b/name.age", b"content")
    assert list(folder.list("a/b")) == [Entry("name.age", "file", 7)]
    assert list(folder.list("a")) == [Entry("b", "folder")]
    assert folder.read("a/b/name.age", 7) == b"content"


def test_nothing_is_replaced(folder: Folder, tmp_path: Path) -> None:
    folder.put("name", b"first")
    with pytest.raises(AlreadyThere):
        folder.put("name", b"second")
    assert folder.read("name", 100) == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["name"]


def test_a_failed_write_leaves_nothing(folder: Folder, tmp_path: Path) -> None:
    def fail() -> None:
        with folder.create("name") as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_one_wins_whole(folder: Folder) -> None:
    outcomes: list[str] = []

    def write(content: bytes) -> None:
        try:
            folder.put("name", content)
            outcomes.append("written")
        except AlreadyThere:
            outcomes.append("late")

    threads = [threading.Thread(target=write, args=(letter * 100_000,)) for letter in (b"a", b"b", b"c", b"d")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["late"] * 3 + ["written"]
    assert len(set(folder.read("name", 100_000))) == 1


def test_missing_is_empty_to_list_and_an_error_to_read(folder: Folder) -> None:
    assert list(folder.list("missing/deep")) == []
    with pytest.raises(NotThere):
        folder.read("missing/deep", 10)
    folder.delete("missing/deep")
    folder.remove_folder("missing/deep")


def test_a_store_that_is_not_mounted_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        list(Folder(tmp_path / "missing").list())


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\\b", "a\0b", "a\nb", "é", "a" * 256]
)
def test_names_that_leave_the_store_are_refused(folder: Folder, name: str) -> None:
    with pytest.raises(UnsafeEntry):
        folder.read(name, 10)
    with pytest.raises(UnsafeEntry):
        folder.put(name, b"x")


def test_links_are_not_followed(folder: Folder, tmp_path: Path) -> None:
    secret = tmp_path.parent / "secret"
    secret.write_bytes(b"secret")
    (tmp_path / "file").symlink_to(secret)
    (tmp_path / "folder").symlink_to(tmp_path.parent)
    for name in ("file", "folder/secret"):
        with pytest.raises(UnsafeEntry):
            folder.read(name, 100)
    with pytest.raises(UnsafeEntry):
        list(folder.list("folder"))
    with pytest.raises(UnsafeEntry):
        folder.put("folder/new", b"x")
    assert {(entry.name, entry.kind) for entry in folder.list()} == {("file", "other"), ("folder", "other")}
    assert not (tmp_path.parent / "new").exists()


@pytest.mark.timeout(120)
def test_a_pipe_and_a_folder_are_no_files(folder: Folder, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(UnsafeEntry):
            folder.read(name, 100)


def test_size_is_checked_before_reading(folder: Folder, tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(10 << 30)
    with pytest.raises(TooLarge, match="10737418240"):
        folder.open("sparse", 1 << 20)


def test_a_file_that_grows_while_it_is_read_is_cut_off(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "name").write_bytes(b"x" * 10)
    with folder.open("name", 10) as stream:
        with (tmp_path / "name").open("ab") as more:
            more.write(b"y" * 1000)
        with pytest.raises(TooLarge, match="grew"):
            stream.read()


def test_a_name_that_is_not_utf8_is_listed_as_something_odd(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff\xfe.age")).write_bytes(b"x")
    (entry,) = folder.list()
    assert entry.kind == "other"
    assert entry.name.isascii()


@contextmanager
def as_nobody() -> Iterator[None]:
    """File access of this thread as an ordinary user's; root would be let in everywhere."""
    setfsuid = ctypes.CDLL(None).setfsuid
    own = setfsuid(65534) if os.geteuid() == 0 else None
    try:
        yield
    finally:
        if own is not None:
            setfsuid(own)


def test_what_may_not_be_read_is_refused_and_no_system_error() -> None:
    """On virtiofs root of a guest is an ordinary user of the host: a mode of 0 keeps readers out."""
    with TemporaryDirectory() as root:
        folder = Folder(Path(root))
        folder.put("closed/name", b"x")
        folder.put("half/name", b"x")
        folder.put("name", b"x")
        for name, mode in (("name", 0), ("closed", 0), ("half", 0o444), ("", 0o755)):
            (Path(root) / name).chmod(mode)
        with as_nobody():
            for name in ("name", "closed/name", "half/name"):
                with pytest.raises(UnsafeEntry, match="may not be read"):
                    folder.read(name, 10)
            for name in ("closed", "half"):
                with pytest.raises(UnsafeEntry, match="may not be read"):
                    list(folder.list(name))
        for name in ("closed", "half"):
            (Path(root) / name).chmod(0o755)


def test_sweeping_removes_what_a_killed_writer_left(folder: Folder, tmp_path: Path) -> None:
    folder.put("salem/id/0001.parcel.age", b"kept")
    (tmp_path / "salem/id/.tmp-0123").write_bytes(b"half")
    (tmp_path / ".tmp-4567").write_bytes(b"half")
    assert folder.sweep() == 2
    assert folder.sweep() == 0
    assert folder.read("salem/id/0001.parcel.age", 10) == b"kept"


def test_a_folder_is_removed_only_when_it_is_empty(folder: Folder) -> None:
    folder.put("salem/name", b"x")
    folder.remove_folder("salem")
    assert folder.read("salem/name", 10) == b"x"
    folder.delete("salem/name")
    folder.remove_folder("salem")
    assert list(folder.list()) == []
