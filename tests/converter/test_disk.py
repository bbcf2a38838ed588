"""Files appear whole or not at all, whatever an earlier process has left beside them."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

import pytest

from converter.disk import appearing, write
from converter.errors import ConversionError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture


@pytest.fixture(params=["O_TMPFILE", "no O_TMPFILE"], autouse=True)
def unnamed(request: pytest.FixtureRequest, mocker: MockerFixture) -> None:
    """A file system that can make files without a name, and one that cannot, as NFS and SMB."""
    opened = os.open

    def refusing(path: Any, flags: int, *more: Any) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
        return opened(path, flags, *more)

    if request.param != "O_TMPFILE":
        mocker.patch("converter.disk.os.open", refusing)


def test_what_a_killed_process_of_the_same_number_left_is_not_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    left = tmp_path / f".{os.getpid()}-a.png.part"
    left.write_bytes(b"left")
    for content in (b"first", b"second"):
        write(path, [content])
        assert path.read_bytes() == content
    assert sorted(tmp_path.iterdir()) == [left, path]


def test_a_file_that_cannot_have_its_name_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(IsADirectoryError):
        write(tmp_path / "a.png", [b"content"])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_block_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def half() -> None:
        with appearing(tmp_path / "new" / "a.png") as file:
            file.write(b"half")
            raise ConversionError("half a picture")

    with pytest.raises(ConversionError):
        half()
    assert list((tmp_path / "new").iterdir()) == []
