"""Referrals between real archives through a real exchange folder: what arrives, what is shown, what is sent again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from appliance.people_tables import AuditEntry, ReceivedReferral, SentReferral
from appliance.referral.contents import NoSuchPatient, kept_uids
from appliance.referral.listing import referrals
from appliance.referral.states import ARRIVED, REFUSED
from exchange.errors import NotAllowed
from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.referring import ANBU, exchanged, outbox_files, refer, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import FileDataset


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[Hospital, Hospital, Hospital]]:
    with hospitals(tmp_path, "erode", "salem", "karur") as opened:
        yield opened  # type: ignore[misc]


def digests(hospital: Hospital, datasets: list[FileDataset]) -> list[str]:
    paths = [hospital.archive.path_of(dataset.SOPInstanceUID) for dataset in datasets]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


def test_all_arrive_as_they_are_and_both_sides_count_them(three) -> None:
    erode, salem, karur = three
    sent = ct(count=5)
    erode.keep(sent)
    referral_id = refer(erode, salem)
    exchanged(erode, salem, karur)
    for side, direction in ((erode, "sent"), (salem, "received")):
        found = row(side, referral_id)
        assert (found.arrived, found.total, found.state, found.direction) == (5, 5, ARRIVED, direction)
    assert digests(erode, sent) == digests(salem, sent)
    assert karur.kept() == []
    with karur.archive.index.session() as session:
        assert referrals(session, "karur") == []


def test_nothing_is_left_in_the_exchange(three, monkeypatch: pytest.MonkeyPatch) -> None:
    """The acknowledgement stays longest: its reader may be slow."""
    erode, salem, _ = three
    erode.keep(ct())
    refer(erode, salem)
    exchanged(erode, salem, rounds=3)
    assert outbox_files(erode) == []
    assert len(outbox_files(salem)) == 1
    monkeypatch.setattr("appliance.referral.answers.KEPT_S", 0.0)
    exchanged(erode, salem)
    assert outbox_files(salem) == []


def test_the_patient_keeps_the_issuing_branch_also_onward(three) -> None:
    erode, salem, karur = three
    erode.keep(ct())
    refer(erode, salem)
    exchanged(erode, salem)
    onward = refer(salem, karur, issuer="erode")
    exchanged(salem, karur)
    assert row(karur, onward).issuer == "erode"
    assert row(karur, onward).sender == "salem"
    assert karur.kept() == erode.kept()


def test_two_patients_of_one_id_stay_two(three) -> None:
    erode, salem, karur = three
    erode.keep(ct("1234", "Murugan^Selvi", 2))
    salem.keep(ct("1234", "Raja^Kannan", 1))
    refer(erode, salem, "1234")
    exchanged(erode, salem)
    with pytest.raises(NoSuchPatient, match="erode, salem"):
        refer(salem, karur, "1234")
    referral_id = refer(salem, karur, "1234", "salem")
    exchanged(salem, karur)
    assert row(karur, referral_id).patient_name == "Raja^Kannan"
    assert len(karur.kept()) == 1


def test_what_came_back_changes_nothing(three) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    refer(erode, salem)
    exchanged(erode, salem)
    back = refer(salem, erode, issuer="erode")
    exchanged(salem, erode)
    assert row(erode, back).state == ARRIVED
    assert len(erode.kept()) == 3


def test_nobody_adds_to_anothers_patient(three) -> None:
    """Salem files a forged image under erode's patient, and refers that patient back to erode."""
    erode, salem, _ = three
    erode.keep(ct())
    refer(erode, salem)
    exchanged(erode, salem)
    salem.keep(ct(count=1), issuer="erode")
    back = refer(salem, erode, issuer="erode")
    exchanged(salem, erode)
    assert row(erode, back).state == REFUSED
    assert row(salem, back).state == REFUSED
    assert "may not add to a patient of erode" in row(salem, back).refused
    assert len(erode.kept()) == 3


def test_asking_twice_follows_the_first(three) -> None:
    erode, _, _ = three
    erode.keep(ct())
    first = erode.people.desk.request("ER-4711", None, "salem", ANBU)
    second = erode.people.desk.request("ER-4711", None, "salem", ANBU)
    assert (first.new, first.instances) == (True, 3)
    assert (second.new, second.instances, second.referral_id) == (False, 0, first.referral_id)


def test_more_than_one_referral_holds_goes_in_several(three, monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies stay whole where they fit; asking again sends nothing more."""
    monkeypatch.setattr("appliance.referral.request.MAX_INSTANCES", 4)
    erode, salem, _ = three
    studies = [ct(count=count) for count in (3, 2, 6)]
    for study in studies:
        erode.keep(study)
    asked = erode.people.desk.request("ER-4711", None, "salem", ANBU)
    assert (asked.new, asked.instances) == (True, 11)
    with erode.archive.index.session() as session:
        sent = session.scalars(select(SentReferral).order_by(SentReferral.sequence)).all()
        assert [one.total for one in sent] == [3, 2, 4, 2]
        assert sent[-1].referral_id == asked.referral_id
    exchanged(erode, salem)
    assert salem.kept() == erode.kept()
    assert not erode.people.desk.request("ER-4711", None, "salem", ANBU).new


def test_a_study_that_grew_is_sent_by_its_difference(three) -> None:
    erode, salem, _ = three
    study = ct(count=5)
    erode.keep(study[:3])
    refer(erode, salem)
    exchanged(erode, salem)
    erode.keep(study[3:])
    again = erode.people.desk.request("ER-4711", None, "salem", ANBU)
    exchanged(erode, salem)
    assert (again.new, again.instances) == (True, 2)
    assert salem.kept() == erode.kept()
    assert erode.people.desk.request("ER-4711", None, "karur", ANBU).instances == 5


def test_a_pair_that_the_directory_does_not_allow_is_refused(three) -> None:
    erode, salem, karur = three
    erode.keep(ct())
    erode.community.publish(referrals=(("erode", "salem"),))
    erode.step()
    with pytest.raises(NotAllowed, match="erode may not refer to karur"):
        refer(erode, karur)
    refer(erode, salem)


def test_a_conflict_is_kept_aside_and_told(three) -> None:
    erode, salem, _ = three
    study = ct(count=3)
    erode.keep(study)
    study[1].PatientComments = "another content under the same UID"
    salem.keep(study[1:2], issuer="erode")
    referral_id = refer(erode, salem)
    exchanged(erode, salem)
    for side in (erode, salem):
        assert (row(side, referral_id).arrived, row(side, referral_id).total) == (2, 3)
        assert "1 of 3 differ" in row(side, referral_id).refused
    assert len(list(salem.archive.conflicts.iterdir())) == 1


def test_what_is_kept_as_another_patient_s_is_told(three) -> None:
    """Karur has one of the images, from a CD, as its own patient's: the rest arrives, and nobody mixes them."""
    erode, _, karur = three
    study = ct("1234", count=3)
    erode.keep(study)
    karur.keep(study[:1])
    referral_id = refer(erode, karur, "1234")
    exchanged(erode, karur)
    for side in (erode, karur):
        assert (row(side, referral_id).state, row(side, referral_id).arrived) == (ARRIVED, 2)
        assert row(side, referral_id).refused == "1 of 3 are kept here already, as images of another patient"
    assert karur.kept() == erode.kept()
    with karur.archive.index.session() as session:
        assert kept_uids(session, "karur", "1234") == {study[0].SOPInstanceUID}
        detail = session.scalars(select(AuditEntry.detail).where(AuditEntry.subject == referral_id)).one()
    assert "another patient" in detail


def test_another_patient_s_image_of_another_content_is_set_aside_and_told(three) -> None:
    """Nothing of it arrives, and neither side says that it did."""
    erode, _, karur = three
    study = ct("ER-1", count=1)
    erode.keep(study)
    study[0].PatientID, study[0].PatientName = "KA-9", "Raja^Kannan"
    karur.keep(study)
    before = karur.archive.path_of(study[0].SOPInstanceUID).read_bytes()
    referral_id = refer(erode, karur, "ER-1")
    exchanged(erode, karur)
    for side in (erode, karur):
        assert (row(side, referral_id).state, row(side, referral_id).arrived) == (REFUSED, 0)
        assert "1 of 1 differ" in row(side, referral_id).refused
    assert karur.archive.path_of(study[0].SOPInstanceUID).read_bytes() == before
    assert len(list(karur.archive.conflicts.iterdir())) == 1
    with karur.archive.index.session() as session:
        outcomes = session.scalars(select(AuditEntry.outcome).where(AuditEntry.subject == referral_id)).all()
    assert outcomes == ["refused"]


def test_the_audit_log_of_both_sides_tells_of_it(three) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    referral_id = refer(erode, salem)
    exchanged(erode, salem)
    wanted = select(AuditEntry.action, AuditEntry.who, AuditEntry.outcome).where(AuditEntry.subject == referral_id)
    with erode.archive.index.session() as session:
        assert session.execute(wanted).all() == [("refer", "dr.anbu", "done"), ("referral", "appliance", "arrived")]
    with salem.archive.index.session() as session:
        assert session.execute(wanted).all() == [("referral-received", "branch:erode", "done")]


def test_filing_is_written_down_once(three) -> None:
    erode, salem, _ = three
    erode.keep(ct())
    refer(erode, salem)
    exchanged(erode, salem, rounds=5)
    with salem.archive.index.session() as session:
        received = session.scalars(select(ReceivedReferral)).all()
    assert [(one.state, one.answered, one.gone) for one in received] == [(ARRIVED, True, True)]
