"""Referrals that end otherwise, or later: withdrawn, expired, renewed, not sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from appliance.people_tables import SentReferral
from appliance.referral.listing import referrals
from appliance.referral.request import NotOpen
from appliance.referral.states import ARRIVED, EXPIRED, REFUSED, SENT, WITHDRAWN
from exchange.keys import BranchKeys, save_keys
from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.referring import ANBU, exchanged, outbox_files, refer, row

if TYPE_CHECKING:
    from collections.abc import Iterator
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


def test_what_is_not_answered_in_time_expires(three) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    referral_id = refer(erode, salem)
    erode.sending.step()
    with erode.archive.index.writing() as session:
        session.execute(update(SentReferral).values(expires=datetime.now(UTC) - timedelta(seconds=1)))
    exchanged(erode, salem)
    assert row(erode, referral_id).state == EXPIRED
    assert outbox_files(erode) == []
    assert erode.people.desk.request("ER-4711", None, "salem", ANBU).new


def test_new_keys_of_the_recipient_renew_the_referral(three, tmp_path: Path) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    old = refer(erode, salem)
    salem.close()
    for file in salem.archive.keys.iterdir():
        file.unlink()
    save_keys(salem.archive.keys, BranchKeys.generate())
    again = Hospital(salem.community, "salem", tmp_path / "salem")
    salem.archive = again.archive
    again.people.enrolment.step()
    again.community.admit_file("salem", again.archive.keys)
    exchanged(erode, again, erode)
    assert row(erode, old).state == WITHDRAWN
    with erode.archive.index.session() as session:
        assert [(r.state, r.arrived) for r in referrals(session, "erode") if r.referral_id != old] == [(ARRIVED, 3)]
    assert again.kept() == erode.kept()


def test_a_file_that_the_archive_lost_ends_in_a_clear_state(three) -> None:
    erode, salem, _ = three
    study = ct()
    erode.keep(study)
    referral_id = refer(erode, salem)
    erode.archive.path_of(study[1].SOPInstanceUID).unlink()
    exchanged(erode, salem)
    assert row(erode, referral_id).state == REFUSED
    assert "not sent" in row(erode, referral_id).refused
    assert salem.kept() == []
    assert outbox_files(erode) == []


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
