"""An exchange that is away for a while, lost or restored: no answer goes for it, and what is lost is made again."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from appliance.referral import answers, lost, receiving
from appliance.referral.states import ARRIVED, SENT, WITHDRAWN
from exchange.keys import BranchKeys
from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.referring import ANBU, outbox_files, refer, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Hospital, Hospital]]:
    with hospitals(tmp_path, "erode", "salem") as opened:
        yield opened  # type: ignore[misc]


def answered(erode: Hospital, salem: Hospital) -> str:
    """A referral of erode's that salem has filed and answered, and of which erode has not heard yet."""
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    salem.receiving.step()
    assert outbox_files(salem) == [f"{referral_id}.ack.age"]
    return referral_id


def box(erode: Hospital, referral_id: str) -> Path:
    return erode.context.outbox / "salem" / referral_id


#: What salem may see in the place of the exchange while its mount, or the hosts' one beneath it, is away.
AWAY = {
    "an empty mount point": [""],
    "outboxes without their community": ["out/erode/salem"],
    "a community without the outbox": ["community/directory", "out/salem"],
}


@pytest.mark.parametrize("folders", AWAY.values(), ids=AWAY)
def test_an_answer_outlives_an_exchange_that_is_away(
    two, folders: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    erode, salem = two
    referral_id = answered(erode, salem)
    monkeypatch.setattr(answers, "KEPT_S", 0)
    root, aside = erode.community.root, tmp_path / "aside"
    outbox = tmp_path / "outbox of salem"
    shutil.copytree(salem.context.outbox, outbox)
    salem.receiving._answers._outbox.path = outbox
    root.rename(aside)
    for folder in folders:
        (root / folder).mkdir(parents=True)
    if "community/directory" in folders:
        (root / "community/directory/0000000001.json").touch()
    salem.receiving.step()
    assert [path.name for path in outbox.rglob("*.age")] == [f"{referral_id}.ack.age"]
    shutil.rmtree(root)
    aside.rename(root)
    erode.sending.step()
    assert (row(erode, referral_id).state, row(erode, referral_id).arrived) == (ARRIVED, 3)
    salem.receiving.step()
    assert list(outbox.rglob("*.age")) == []


def test_an_answer_goes_after_a_second_look(two, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    erode, salem = two
    referral_id = answered(erode, salem)
    box(erode, referral_id).rename(tmp_path / "aside")
    salem.receiving.step()
    (tmp_path / "aside").rename(box(erode, referral_id))
    monkeypatch.setattr(answers, "KEPT_S", 0)
    salem.receiving.step()
    erode.sending.step()
    assert row(erode, referral_id).state == ARRIVED


def test_a_lost_answer_is_written_again(two, capsys) -> None:
    erode, salem = two
    referral_id = answered(erode, salem)
    for _ in range(2):
        (salem.context.outbox / "erode" / f"{referral_id}.ack.age").unlink()
        salem.receiving.step()
        salem.receiving.step()
        assert outbox_files(salem) == [f"{referral_id}.ack.age"]
    assert capsys.readouterr().out.count("acknowledgement lost") == 2
    for _ in range(2):
        salem.receiving.step()
    erode.sending.step()
    assert (row(erode, referral_id).state, row(erode, referral_id).arrived) == (ARRIVED, 3)
    assert "acknowledgement lost" not in capsys.readouterr().out


def test_an_answer_is_written_again_though_the_referral_seemed_taken_away(two, tmp_path: Path) -> None:
    erode, salem = two
    referral_id = answered(erode, salem)
    box(erode, referral_id).rename(tmp_path / "aside")
    salem.receiving.step()
    (salem.context.outbox / "erode" / f"{referral_id}.ack.age").unlink()
    (tmp_path / "aside").rename(box(erode, referral_id))
    for _ in range(2):
        salem.receiving.step()
    erode.sending.step()
    assert row(erode, referral_id).state == ARRIVED


def test_what_nobody_vouches_for_is_never_answered(two, capsys) -> None:
    erode, salem = two
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    (box(erode, referral_id) / "manifest.age").write_bytes(b"rubbish")
    for _ in range(3):
        salem.receiving.step()
    said = capsys.readouterr().out
    assert (said.count("referral refused"), said.count("acknowledgement lost")) == (1, 0)
    assert outbox_files(salem) == []


def test_what_is_filed_stays_filed_though_its_sender_has_new_keys(two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer did not fit into the outbox; meanwhile the manifest has a signature that counts no more."""
    erode, salem = two
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    with monkeypatch.context() as full:
        full.setattr(receiving, "acknowledge", disk_full)
        salem.receiving.step()
    assert (row(salem, referral_id).state, row(salem, referral_id).arrived, outbox_files(salem)) == (ARRIVED, 3, [])
    entry = erode.community.directory.branch("erode")
    erode.community.publish(replace(entry, keys=BranchKeys.generate().public))
    salem.people.enrolment.step()
    salem.receiving._ledger._rests.clear()
    salem.receiving.step()
    assert (row(salem, referral_id).state, row(salem, referral_id).arrived) == (ARRIVED, 3)
    assert outbox_files(salem) == [f"{referral_id}.ack.age"]


def disk_full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


#: What of a referral, or around it, is lost.
LOSSES: dict[str, Callable[[Path], None]] = {
    "the letterbox": lambda box: shutil.rmtree(box.parent),
    "the manifest": lambda box: (box / "manifest.age").unlink(),
    "a parcel": lambda box: (box / "0001.parcel.age").unlink(),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_lost_referral_is_sent_again(two, lose: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch) -> None:
    erode, salem = two
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    lose(box(erode, referral_id))
    erode.sending.step()
    assert row(erode, referral_id).state == SENT, "it is looked for now and then only"
    monkeypatch.setattr(lost, "LOOK_S", 0)
    erode.sending._lost._look_at = 0
    for _ in range(2):
        erode.sending.step()
        salem.receiving.step()
    erode.sending.step()
    assert row(erode, referral_id).state == WITHDRAWN
    assert "lost from the exchange" in row(erode, referral_id).refused
    asked = erode.people.desk.request("ER-4711", None, "salem", ANBU)
    assert (asked.new, row(erode, asked.referral_id).state, row(erode, asked.referral_id).arrived) == (
        False,
        ARRIVED,
        3,
    )
    assert salem.kept() == erode.kept()
    assert outbox_files(erode) == []


def test_a_referral_is_not_lost_while_the_exchange_is_away(
    two, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As long as one of the two mounts shows it, or the other is none."""
    erode, salem = two
    monkeypatch.setattr(lost, "LOOK_S", 0)
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    whole, empty = erode.sending._exchange.path, tmp_path / "empty"
    empty.mkdir()
    for exchange, outbox in ((empty, erode.context.outbox), (whole, empty), (empty, empty)):
        erode.sending._exchange.path, erode.sending._outbox.path = exchange, outbox
        erode.sending.step()
        assert row(erode, referral_id).state == SENT
    erode.sending._exchange.path, erode.sending._outbox.path = whole, erode.context.outbox
    salem.receiving.step()
    erode.sending.step()
    assert row(erode, referral_id).state == ARRIVED


def test_a_referral_that_is_over_and_lies_there_again_is_removed(two, tmp_path: Path) -> None:
    erode, salem = two
    referral_id = answered(erode, salem)
    shutil.copytree(box(erode, referral_id), tmp_path / "copy")
    erode.sending.step()
    assert outbox_files(erode) == []
    shutil.copytree(tmp_path / "copy", box(erode, referral_id))
    erode.sending._tidied = False
    erode.sending.step()
    assert outbox_files(erode) == []
