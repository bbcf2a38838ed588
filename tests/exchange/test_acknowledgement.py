"""Acknowledgements: whose word they are."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from exchange.acknowledgement import acknowledge, acknowledged, read_acknowledgement, remove, spent
from exchange.errors import BadSignature, CannotOpen, NotForUs
from exchange.offers import Offer
from exchange.sealing import seal
from exchange.sending import send, withdraw
from exchange.signing import sign
from tests.exchange.road import NOW, kept, referral

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.acknowledgement import Acknowledgement
    from tests.exchange.conftest import Kongu


@pytest.fixture
def referral_id(kongu: Kongu, tmp_path: Path) -> str:
    """Of a referral that salem has refused."""
    outgoing = referral(kongu.directory, kept(tmp_path / "archive", [500]))
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    offer = Offer("erode", outgoing.referral_id)
    outbox, keys = kongu.outbox("salem"), kongu.keys["salem"]
    for refused in ("the disk is full " * 100, "never written"):
        acknowledge(outbox, offer, "salem", keys, kongu.directory, arrived=0, total=1, at=NOW, refused=refused)
    return outgoing.referral_id


def read(kongu: Kongu, referral_id: str, recipient: str = "salem") -> Acknowledgement:
    return read_acknowledgement(kongu.exchange, "erode", recipient, referral_id, kongu.keys["erode"], kongu.directory)


def place(kongu: Kongu, referral_id: str, recipient: str = "salem") -> Path:
    return kongu.outbox(recipient).path / "erode" / f"{referral_id}.ack.age"


def test_the_first_answer_stands(kongu: Kongu, referral_id: str) -> None:
    answer = read(kongu, referral_id)
    assert answer.refused is not None
    assert answer.refused.startswith("the disk is full")
    assert len(answer.refused) == 500
    assert list(acknowledged(kongu.exchange, "erode", kongu.directory)) == [("salem", referral_id)]


def test_another_branch_cannot_answer(kongu: Kongu, referral_id: str) -> None:
    place(kongu, referral_id, "karur").parent.mkdir()
    shutil.copy(place(kongu, referral_id), place(kongu, referral_id, "karur"))
    with pytest.raises(BadSignature):
        read(kongu, referral_id, "karur")


def test_an_answer_under_another_id_is_none(kongu: Kongu, referral_id: str) -> None:
    other = str(uuid4())
    shutil.copy(place(kongu, referral_id), place(kongu, other))
    with pytest.raises(NotForUs):
        read(kongu, other)


def test_a_manifest_is_no_answer(kongu: Kongu, referral_id: str) -> None:
    body = read(kongu, referral_id).encode()
    place(kongu, referral_id).unlink()
    forged = seal(sign("manifest", body, kongu.keys["salem"].sign), [kongu.keys["erode"].public.seal])
    place(kongu, referral_id).write_bytes(forged)
    with pytest.raises(BadSignature):
        read(kongu, referral_id)


def test_it_is_sealed_to_the_sender(kongu: Kongu, referral_id: str) -> None:
    with pytest.raises(CannotOpen):
        read_acknowledgement(kongu.exchange, "erode", "salem", referral_id, kongu.keys["karur"], kongu.directory)


def test_links_and_folders_are_no_answers(kongu: Kongu, referral_id: str) -> None:
    place(kongu, str(uuid4())).symlink_to(place(kongu, referral_id))
    place(kongu, str(uuid4())).mkdir()
    assert list(acknowledged(kongu.exchange, "erode", kongu.directory)) == [("salem", referral_id)]


def test_a_spoiled_letterbox_holds_up_nobody_elses(kongu: Kongu, referral_id: str) -> None:
    (kongu.outbox("karur").path / "erode").symlink_to("/")
    (kongu.outbox("karur").path / "salem").symlink_to("/")
    reordered = replace(kongu.directory, branches=kongu.directory.branches[::-1])
    assert reordered.branches[0].name == "karur"
    assert list(acknowledged(kongu.exchange, "erode", reordered)) == [("salem", referral_id)]
    kongu.outbox("salem").put(f"karur/{referral_id}.ack.age", b"of a referral that cannot be seen any more")
    withdraw(kongu.outbox("erode"), "salem", referral_id)
    (gone,) = spent(kongu.exchange, kongu.outbox("salem"), "salem")
    remove(kongu.outbox("salem"), [gone])
    assert [entry.name for entry in kongu.outbox("salem").list("karur")] == [f"{referral_id}.ack.age"]
