"""Referrals that end otherwise, or later: withdrawn, expired, renewed, not sent."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, update

from appliance.people_tables import SentReferral
from appliance.referral import overdue
from appliance.referral.listing import referrals
from appliance.referral.request import NotOpen
from appliance.referral.states import ARRIVED, EXPIRED, REFUSED, SENT, WITHDRAWN
from exchange.folder import Folder
from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.importing import entries
from tests.appliance.referring import ANBU, exchanged, outbox_files, refer, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[Hospital, Hospital, Hospital]]:
    with hospitals(tmp_path, "erode", "salem", "karur") as opened:
        yield opened  # type: ignore[misc]


def test_what_is_withdrawn_does_not_arrive(three) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    assert outbox_files(erode) == ["0001.parcel.age", "manifest.age"]
    erode.people.desk.withdraw(referral_id, ANBU)
    exchanged(erode, salem)
    assert row(erode, referral_id).state == WITHDRAWN
    assert outbox_files(erode) == []
    assert salem.kept() == []
    (entry,) = entries(erode, "withdraw")
    assert json.loads(entry.detail) == {"issuer": "erode", "patient": "ER-4711", "to": "salem"}
    with pytest.raises(NotOpen):
        erode.people.desk.withdraw(referral_id, ANBU)
    assert erode.people.desk.request("ER-4711", None, "salem", ANBU).new


def test_what_has_arrived_has_arrived_though_it_was_withdrawn(three) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    referral_id = refer(erode, salem)
    exchanged(erode, rounds=1)
    salem.receiving.step()
    erode.people.desk.withdraw(referral_id, ANBU)
    exchanged(erode, salem)
    assert row(erode, referral_id).state == ARRIVED


def test_what_was_taken_back_while_it_was_filed_has_arrived(three) -> None:
    """The recipient's word outlives the referral, so that its sender learns of it."""
    erode, salem, _ = three
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    filing = salem.archive.file

    def taken_back_meanwhile(*arguments: Any, **named: Any) -> Any:
        erode.people.desk.withdraw(referral_id, ANBU)
        erode.sending.step()
        return filing(*arguments, **named)

    salem.archive.file = taken_back_meanwhile
    salem.receiving.step()
    assert outbox_files(erode) == []
    erode.sending.step()
    assert (row(erode, referral_id).state, row(erode, referral_id).arrived) == (ARRIVED, 3)


def test_what_is_taken_back_while_it_is_written_gets_no_manifest(three, monkeypatch: pytest.MonkeyPatch) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    referral_id = refer(erode, salem)
    written: list[str] = []
    put = Folder.put

    def note(self: Folder, name: str, data: bytes) -> None:
        written.append(name)
        put(self, name, data)

    def withdrawn_meanwhile(*arguments: Any, **named: Any) -> Any:
        made = create(*arguments, **named)
        if not written:
            written.append("a parcel")
            erode.people.desk.withdraw(referral_id, ANBU)
        return made

    create = Folder.create
    monkeypatch.setattr(Folder, "create", withdrawn_meanwhile)
    monkeypatch.setattr(Folder, "put", note)
    erode.sending.step()
    assert written == ["a parcel"]
    assert outbox_files(erode) == []
    assert row(erode, referral_id).state == WITHDRAWN


def test_what_is_not_answered_in_time_expires(three, monkeypatch: pytest.MonkeyPatch) -> None:
    erode, salem, _ = three
    monkeypatch.setattr(overdue, "OVERDUE_S", 0)
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    with erode.archive.index.writing() as session:
        session.execute(update(SentReferral).values(expires=datetime.now(UTC) - timedelta(seconds=1)))
    exchanged(erode, salem)
    assert row(erode, referral_id).state == EXPIRED
    assert outbox_files(erode) == []
    assert erode.people.desk.request("ER-4711", None, "salem", ANBU).new


@pytest.mark.parametrize("written", [False, True])
def test_new_keys_of_the_recipient_renew_the_referral(three, tmp_path: Path, written: bool) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    old = refer(erode, salem)
    if written:
        erode.sending.step()
    again = rekeyed(salem, tmp_path / "salem")
    exchanged(erode, again, erode)
    assert row(erode, old).state == WITHDRAWN
    with erode.archive.index.session() as session:
        assert [(r.state, r.arrived) for r in referrals(session, "erode") if r.referral_id != old] == [(ARRIVED, 3)]
    assert again.kept() == erode.kept()


def rekeyed(hospital: Hospital, folder: Path) -> Hospital:
    """The branch with new keys, which it makes itself, admitted again; on an archive in a folder."""
    hospital.close()
    for file in hospital.archive.keys.iterdir():
        file.unlink()
    again = Hospital(hospital.community, hospital.branch, folder)
    hospital.archive = again.archive
    again.people.enrolment.step()
    again.community.admit_file(hospital.branch, again.archive.keys)
    return again


def test_a_branch_that_lost_its_archive_gets_all_again(three, tmp_path: Path) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    refer(erode, salem)
    exchanged(erode, salem)
    assert salem.kept() == erode.kept()
    again = rekeyed(salem, tmp_path / "another disk")
    erode.step()
    asked = erode.people.desk.request("ER-4711", None, "salem", ANBU)
    assert (asked.new, asked.instances) == (True, 3)
    exchanged(erode, again)
    assert again.kept() == erode.kept()


def lose(path: Path) -> None:
    path.unlink()


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def make_unreadable(path: Path) -> None:
    """As a bad sector does, for whoever reads it: EISDIR in place of EIO."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [lose, flip_a_bit, make_unreadable])
def test_one_spoilt_file_keeps_no_other_from_arriving(three, spoil: Callable[[Path], None]) -> None:
    erode, salem, _ = three
    study = ct()
    erode.keep(study)
    referral_id = refer(erode, salem)
    spoil(erode.archive.path_of(study[1].SOPInstanceUID))
    exchanged(erode, salem, rounds=3)
    missing = f"1 of 3 images is damaged here and is not sent: image 2 of series 1, CT {study[1].StudyDate}"
    assert row(erode, referral_id).state == WITHDRAWN
    assert row(erode, referral_id).refused.startswith(f"{missing}; see ")
    with erode.archive.index.session() as session:
        (newer,) = (row for row in referrals(session, "erode") if row.referral_id != referral_id)
    assert (newer.state, newer.arrived, newer.total, newer.refused) == (ARRIVED, 2, 2, missing)
    assert len(salem.kept()) == 2
    assert outbox_files(erode) == []


def test_where_all_is_spoilt_nothing_is_sent_and_what_is_mended_goes_later(three) -> None:
    erode, salem, _ = three
    study = ct(count=6)
    erode.keep(study)
    files = [erode.archive.path_of(dataset.SOPInstanceUID) for dataset in study]
    contents = [file.read_bytes() for file in files]
    for file in files:
        flip_a_bit(file)
    referral_id = refer(erode, salem)
    exchanged(erode, salem)
    assert row(erode, referral_id).state == REFUSED
    told = row(erode, referral_id).refused
    assert told.startswith("not sent: 6 of 6 images are damaged here and are not sent: image 1 of series 1, CT ")
    assert told.endswith("; and 1 more")
    assert outbox_files(erode) == []
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    mended = refer(erode, salem)
    exchanged(erode, salem)
    assert (row(erode, mended).state, row(erode, mended).arrived) == (ARRIVED, 6)


def test_an_expired_directory_makes_new_referrals_wait(three) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    referral_id = refer(erode, salem)
    known = salem.people.directory
    valid = known.value
    known.value = replace(valid, expires=datetime.now(UTC) - timedelta(days=1))
    erode.sending.step()
    salem.receiving.step()
    assert salem.kept() == []
    assert row(erode, referral_id).state == SENT
    known.value = valid
    salem.receiving._ledger._rests.clear()
    exchanged(salem, erode)
    assert row(erode, referral_id).state == ARRIVED


def test_an_outbox_that_the_index_does_not_know_is_cleared(three) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    refer(erode, salem)
    erode.sending.step()
    with erode.archive.index.writing() as session:
        for sent in session.scalars(select(SentReferral)):
            session.delete(sent)
    erode.sending._tidied = False
    erode.sending.step()
    assert outbox_files(erode) == []
