"""Parcels: any files, packed, joined, cut into any pieces, and apart again."""

from __future__ import annotations

import hashlib
import resource
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.errors import ExchangeError, Malformed, Tampered
from exchange.folder import Folder
from exchange.keys import SealingKey
from exchange.manifest import Manifest, ManifestInstance
from exchange.parcel import Splitter, joined, packed
from exchange.sealing import unseal
from exchange.signing import unverified

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = SealingKey.generate()


@dataclass(frozen=True)
class File:
    path: Path
    size: int
    sha256: str


def instance(number: int, content: bytes) -> ManifestInstance:
    return ManifestInstance(
        sop_instance_uid=f"1.2.{number}",
        sop_class_uid="1.2",
        study_instance_uid="1.2",
        series_instance_uid="1.2",
        transfer_syntax_uid="1.2",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        parcel="0001.parcel.age",
        offset=0,
    )


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=50), st.integers(1, 6000))
def test_packing_keeps_order_leaves_none_out_and_holds_the_limit(sizes: list[int], limit: int) -> None:
    runs = packed(sizes, limit)
    assert [size for run in runs for size in sizes[run]] == sizes
    assert all(len(sizes[run]) == 1 or sum(sizes[run]) <= limit for run in runs)
    assert all(sum(sizes[before]) + sizes[after.start] > limit for before, after in pairwise(runs))


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=8), st.integers(1, 400))
@settings(deadline=None)  # each file is flushed to the disk
def test_what_was_joined_comes_apart_however_it_is_cut(contents: list[bytes], cut: int) -> None:
    with TemporaryDirectory() as folder:
        files = []
        for number, content in enumerate(contents):
            path = Path(folder, f"{number}.dcm")
            path.write_bytes(content)
            files.append(File(path, len(content), hashlib.sha256(content).hexdigest()))
        splitter = Splitter([instance(*item) for item in enumerate(contents)], Path(folder), "0001")
        with joined(files) as stream:
            while piece := stream.read(cut):
                splitter.write(piece)
        splitter.finish()
        assert [path.read_bytes() for path in splitter.paths] == contents


@pytest.mark.parametrize(
    ("content", "error"), [(b"abcdeX", "digest"), (b"abcde", "less"), (b"abcdefg", "more"), (b"", "less")]
)
def test_another_content_than_promised_is_refused_and_discarded(tmp_path: Path, content: bytes, error: str) -> None:
    splitter = Splitter([instance(1, b"abc"), instance(2, b"def")], tmp_path, "0001")

    def take() -> None:
        splitter.write(content)
        splitter.finish()

    with pytest.raises(Tampered, match=error):
        take()
    splitter.discard()
    assert list(tmp_path.iterdir()) == []


@contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    """No file may grow beyond `size` bytes: the write that would fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_lies_there_is_not_written_into(tmp_path: Path) -> None:
    """A file of an earlier referral that could not be removed is the archive's as well."""
    (tmp_path / "0001-00001.dcm").write_bytes(b"kept")
    (tmp_path / "kept").hardlink_to(tmp_path / "0001-00001.dcm")
    splitter = Splitter([instance(1, b"abc")], tmp_path, "0001")
    splitter.write(b"abc")
    splitter.finish()
    assert (tmp_path / "0001-00001.dcm").read_bytes() == b"abc"
    assert (tmp_path / "kept").read_bytes() == b"kept"


def test_a_full_disk_is_an_os_error_and_leaves_nothing(tmp_path: Path) -> None:
    content = bytes(2 << 20)
    splitter = Splitter([instance(1, content)], tmp_path, "0001")
    with disk_full_after(1 << 20), pytest.raises(OSError, match="File too large"):
        splitter.write(content)
    splitter.discard()
    with disk_full_after(1 << 20), pytest.raises(OSError, match="File too large"):
        Folder(tmp_path).put("name", content)
    assert list(tmp_path.iterdir()) == []


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300).map(str.encode)))
def test_any_bytes_are_a_clear_error(content: bytes) -> None:
    for read in (
        Manifest.decode,
        unverified,
        lambda raw: unseal(raw, KEY),
        lambda raw: unseal(b"age-encryption.org/v1\n" + raw, KEY),
    ):
        with pytest.raises(ExchangeError):
            read(content)


def test_nesting_without_end_is_malformed() -> None:
    with pytest.raises(Malformed):
        Manifest.decode(b'{"patient":' * 100_000)
