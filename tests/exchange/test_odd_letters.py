"""Letters and outboxes with things in them that nobody of ours writes: links, pipes, floods, files without an end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from exchange.errors import (
    Tampered,
    TooLarge,
    UnsafeEntry,
)
from exchange.offers import Offer, waiting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.outgoing import Outgoing
    from tests.exchange.conftest import Kongu


def in_letter_symlink(letter: Path) -> None:
    (letter / "0009.parcel.age").symlink_to("/etc/passwd")


def in_letter_pipe(letter: Path) -> None:
    os.mkfifo(letter / "0009.parcel.age")


def in_letter_folder(letter: Path) -> None:
    (letter / "0009.parcel.age").mkdir()


def in_letter_stranger(letter: Path) -> None:
    (letter / "readme.txt").write_text("hello")


def in_letter_not_utf8(letter: Path) -> None:
    (letter / os.fsdecode(b"\xff.parcel.age")).write_bytes(b"")


def in_letter_backslashes(letter: Path) -> None:
    (letter / "..\\..\\0001.parcel.age").write_bytes(b"")


def manifest_symlink(letter: Path) -> None:
    (letter / "manifest.age").rename(letter.parent / "elsewhere")
    (letter / "manifest.age").symlink_to(letter.parent / "elsewhere")


def manifest_pipe(letter: Path) -> None:
    (letter / "manifest.age").unlink()
    os.mkfifo(letter / "manifest.age")


def letter_symlink(letter: Path) -> None:
    letter.rename(letter.parent.parent / "elsewhere")
    letter.symlink_to(letter.parent.parent / "elsewhere")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "spoil",
    [
        in_letter_symlink,
        in_letter_pipe,
        in_letter_folder,
        in_letter_stranger,
        in_letter_not_utf8,
        in_letter_backslashes,
        manifest_symlink,
        manifest_pipe,
        letter_symlink,
    ],
)
def test_what_is_no_regular_file_of_an_expected_name(
    letter: Path, salem: Callable[..., None], spoil: Callable[[Path], None]
) -> None:
    spoil(letter)
    salem(UnsafeEntry)


def test_a_sparse_file_of_10_gb_as_manifest(letter: Path, salem: Callable[..., None]) -> None:
    os.truncate(letter / "manifest.age", 10 << 30)
    salem(TooLarge)


def test_a_sparse_file_of_10_gb_as_parcel(letter: Path, salem: Callable[..., None]) -> None:
    os.truncate(letter / "0001.parcel.age", 10 << 30)
    salem(Tampered, "10737418240 bytes")


@pytest.mark.timeout(60)
def test_very_many_files_in_one_referral(letter: Path, salem: Callable[..., None]) -> None:
    for number in range(12_000):
        (letter / f".tmp-{number}").touch()
    salem(TooLarge, "more than 10000 files")


@pytest.mark.timeout(60)
def test_a_flooded_outbox_costs_its_owner_only(kongu: Kongu, sent: Outgoing, tmp_path: Path) -> None:
    flood = kongu.outbox("karur").path / "salem"
    flood.mkdir()
    for _ in range(6000):
        (flood / str(uuid4())).mkdir()
    found = waiting(kongu.exchange, "salem", kongu.directory, known=())
    assert len([offer for offer in found.offers if offer.sender == "karur"]) == 16
    assert Offer("erode", sent.referral_id) in found.offers[:2]
    looked_at = waiting(kongu.exchange, "salem", kongu.directory, known=(), per_sender=10_000)
    assert len(looked_at.offers) == 4096 + 1


@pytest.mark.timeout(120)
def test_odd_things_beside_referrals_are_passed_over_with_few_lines(kongu: Kongu, sent: Outgoing) -> None:
    folder = kongu.outbox("erode").path / "salem"
    (folder / "link").symlink_to("/")
    os.mkfifo(folder / "pipe")
    (folder / os.fsdecode(b"\xff\xfe")).mkdir()
    (folder / f"{uuid4()}.ack.age").mkdir()
    (folder / "\x1b[31mred").write_bytes(b"")
    (folder / str(uuid4())).write_bytes(b"a file, not a folder")
    found = waiting(kongu.exchange, "salem", kongu.directory, known=())
    assert found.offers == (Offer("erode", sent.referral_id),)
    assert len(found.warnings) == 3
    assert all(line.isascii() and line.isprintable() for line in found.warnings)


def test_a_letterbox_that_is_a_link_is_not_followed(kongu: Kongu, sent: Outgoing) -> None:
    (kongu.outbox("karur").path / "salem").symlink_to(kongu.outbox("erode").path / "salem")
    found = waiting(kongu.exchange, "salem", kongu.directory, known=())
    assert [offer.sender for offer in found.offers] == ["erode"]
    assert len(found.warnings) == 1
    assert found.warnings[0].startswith("from 'karur': ")
