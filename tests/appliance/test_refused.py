"""What a recipient refuses: one clear line in the log, nothing in the archive, an answer where the sender is known."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import select

from appliance.people_tables import AuditEntry, ReceivedReferral
from appliance.referral.listing import referral
from appliance.referral.states import REFUSED, SENT
from exchange.errors import CannotOpen
from exchange.keys import BranchKeys
from exchange.manifest import PURPOSE, Manifest
from exchange.sealing import seal, unseal
from exchange.signing import open_signed, sign
from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.referring import ANBU

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[Hospital, Hospital, Hospital]]:
    with hospitals(tmp_path, "erode", "salem", "karur") as opened:
        opened[0].keep(ct())
        yield opened  # type: ignore[misc]


@pytest.fixture
def sent(three) -> str:
    """A referral of erode to salem that lies in the exchange."""
    erode, _, _ = three
    referral_id = erode.people.desk.request("ER-4711", None, "salem", ANBU).referral_id
    erode.sending.step()
    return referral_id


def box(sender: Hospital, referral_id: str, to: str = "salem") -> Path:
    return sender.context.outbox / to / referral_id


def rewritten(
    three, referral_id: str, change: Callable[[Manifest], Manifest], signer: BranchKeys | None = None
) -> None:
    """Open erode's manifest with salem's key, change it, sign it and seal it again: what only erode itself could do."""
    erode, salem, _ = three
    file = box(erode, referral_id) / "manifest.age"
    manifest = Manifest.decode(
        open_signed(PURPOSE, unseal(file.read_bytes(), salem.keys.seal), [erode.keys.public.verify_key])
    )
    content = sign(PURPOSE, change(manifest).encode(), (signer or erode.keys).sign)
    file.unlink()
    file.write_bytes(seal(content, [salem.keys.public.seal]))


def state_at(hospital: Hospital, referral_id: str) -> tuple[str, str] | None:
    with hospital.archive.index.session() as session:
        found = referral(session, hospital.branch, referral_id)
    return (found.state, found.refused) if found else None


def assert_refused(three, capsys, because: str, *, answered: str | None = None) -> None:
    """Salem keeps nothing, says why in one line however often it looks, and tells the sender where it knows it."""
    erode, salem, _ = three
    capsys.readouterr()
    for _ in range(3):
        salem.receiving.step()
    lines = [line for line in capsys.readouterr().out.splitlines() if because in line]
    assert len(lines) == 1, lines
    assert salem.kept() == []
    assert not any(path.is_file() for path in (salem.archive.folder / "instances").rglob("*"))
    assert list(salem.archive.spool.iterdir()) == []
    erode.sending.step()
    if answered is not None:
        assert state_at(erode, answered)[0] == REFUSED
        assert because in state_at(erode, answered)[1]


def test_a_parcel_with_one_bit_changed(three, sent: str, capsys) -> None:
    parcel = box(three[0], sent) / "0001.parcel.age"
    content = bytearray(parcel.read_bytes())
    content[len(content) // 2] ^= 1
    parcel.write_bytes(content)
    assert_refused(three, capsys, "its digest differs", answered=sent)


def test_a_parcel_that_is_cut_short(three, sent: str, capsys) -> None:
    parcel = box(three[0], sent) / "0001.parcel.age"
    parcel.write_bytes(parcel.read_bytes()[:-1])
    assert_refused(three, capsys, "its manifest says")
    assert state_at(three[0], sent)[0] == SENT


def test_a_wrong_signature(three, sent: str, capsys) -> None:
    rewritten(three, sent, lambda manifest: manifest, signer=BranchKeys.generate())
    assert_refused(three, capsys, "referral refused")
    assert state_at(three[0], sent)[0] == SENT


def test_another_branchs_signature(three, sent: str, capsys) -> None:
    rewritten(three, sent, lambda manifest: manifest, signer=three[2].keys)
    assert_refused(three, capsys, "referral refused")


def test_a_sender_that_is_not_in_the_directory(three, sent: str, capsys) -> None:
    erode, _, _ = three
    shutil.copytree(box(erode, sent), erode.community.root / "out/namakkal/salem" / sent)
    erode.people.desk.withdraw(sent, ANBU)
    erode.sending.step()
    assert_refused(three, capsys, "namakkal is not in the directory")


def test_a_sender_that_is_revoked(three, sent: str, capsys) -> None:
    erode, salem, _ = three
    directory = erode.community.directory
    erode.community.publish(replace(directory.branch("erode"), revoked=True))
    salem.people.enrolment.step()
    assert_refused(three, capsys, "erode is revoked")


def test_a_sender_that_may_not_refer_here(three, sent: str, capsys) -> None:
    erode, salem, _ = three
    erode.community.publish(referrals=(("erode", "karur"), ("salem", "erode")))
    salem.people.enrolment.step()
    assert_refused(three, capsys, "erode may not refer to salem", answered=sent)


def test_a_manifest_that_was_meant_for_karur(three, capsys) -> None:
    erode, _, _ = three
    for_karur = erode.people.desk.request("ER-4711", None, "karur", ANBU).referral_id
    erode.sending.step()
    shutil.copytree(box(erode, for_karur, "karur"), box(erode, for_karur))
    assert_refused(three, capsys, "referral refused")


def test_karur_opens_nothing_that_is_for_salem(three, sent: str) -> None:
    erode, _, karur = three
    files = list(box(erode, sent).iterdir())
    assert files
    for file in files:
        with pytest.raises(CannotOpen):
            unseal(file.read_bytes(), karur.keys.seal)


def test_nothing_readable_in_the_exchange_names_the_patient(three, sent: str) -> None:
    erode, _, _ = three
    for path in erode.community.root.rglob("*"):
        told = str(path).encode() + (path.read_bytes() if path.is_file() else b"")
        assert all(word not in told for word in (b"4711", b"Murugan", b"Selvi"))


def test_a_replay_after_it_was_taken_away(three, sent: str, capsys) -> None:
    erode, salem, _ = three
    shutil.copytree(box(erode, sent), erode.community.root / "copy")
    for _ in range(2):
        salem.receiving.step()
        erode.sending.step()
    salem.receiving.step()
    before = salem.kept()
    shutil.copytree(erode.community.root / "copy", box(erode, sent))
    capsys.readouterr()
    for _ in range(3):
        salem.receiving.step()
    assert capsys.readouterr().out.count("a replay") == 1
    assert salem.kept() == before
    assert len(before) == 3


def test_a_replay_under_another_id(three, sent: str, capsys) -> None:
    other = "12345678-1234-4234-8234-123456789012"
    erode, _, _ = three
    box(erode, sent).rename(box(erode, other))
    assert_refused(three, capsys, "under another id")


def test_a_replay_in_anothers_outbox(three, sent: str, capsys) -> None:
    erode, _, karur = three
    shutil.copytree(box(erode, sent), box(karur, sent))
    erode.people.desk.withdraw(sent, ANBU)
    erode.sending.step()
    assert_refused(three, capsys, "referral refused")


def test_a_sequence_number_that_was_used(three, sent: str, capsys) -> None:
    erode, salem, _ = three
    first: list[int] = []
    rewritten(three, sent, lambda manifest: first.append(manifest.sequence) or manifest)  # type: ignore[func-returns-value]
    salem.receiving.step()
    erode.keep(ct("ER-4712"))
    second = erode.people.desk.request("ER-4712", None, "salem", ANBU).referral_id
    erode.sending.step()
    rewritten(three, second, lambda manifest: replace(manifest, sequence=first[0]))
    kept = salem.kept()
    salem.receiving.step()
    erode.sending.step()
    assert salem.kept() == kept
    assert "used the sequence number" in state_at(erode, second)[1]


def test_a_data_set_that_is_not_the_one_of_the_manifest(three, sent: str, capsys) -> None:
    def another_uid(manifest: Manifest) -> Manifest:
        first = replace(manifest.instances[0], sop_instance_uid="1.2.3.4")
        return replace(manifest, instances=(first, *manifest.instances[1:]))

    rewritten(three, sent, another_uid)
    assert_refused(three, capsys, "its sop_instance_uid is not the manifest's", answered=sent)


def test_a_patient_that_is_not_the_one_of_the_manifest(three, sent: str, capsys) -> None:
    rewritten(three, sent, lambda manifest: replace(manifest, patient=replace(manifest.patient, patient_id="ER-1")))
    assert_refused(three, capsys, "its patient is not the manifest's", answered=sent)


def test_an_issuer_that_is_no_branch(three, sent: str, capsys) -> None:
    rewritten(three, sent, lambda manifest: replace(manifest, patient=replace(manifest.patient, issuer="elsewhere")))
    assert_refused(three, capsys, "no branch of this community", answered=sent)


def test_a_symlink_for_a_parcel(three, sent: str, capsys, tmp_path: Path) -> None:
    parcel = box(three[0], sent) / "0001.parcel.age"
    parcel.rename(tmp_path / "elsewhere")
    parcel.symlink_to(tmp_path / "elsewhere")
    assert_refused(three, capsys, "does not belong into a referral")


def test_a_symlink_for_a_referral(three, sent: str, capsys, tmp_path: Path) -> None:
    box(three[0], sent).rename(tmp_path / "elsewhere")
    box(three[0], sent).symlink_to(tmp_path / "elsewhere")
    assert_refused(three, capsys, "it is no referral")


def test_a_fifo_holds_nobody_up(three, sent: str, capsys) -> None:
    manifest = box(three[0], sent) / "manifest.age"
    manifest.unlink()
    os.mkfifo(manifest)
    assert_refused(three, capsys, "does not belong into a referral")


@pytest.mark.parametrize("name", ["0001.parcel.age", "manifest.age"])
def test_a_sparse_file_of_10_gb_is_not_read(three, sent: str, capsys, name: str) -> None:
    os.truncate(box(three[0], sent) / name, 10 << 30)
    began = time.process_time()
    assert_refused(three, capsys, "10737418240 bytes")
    assert time.process_time() - began < 2, "to read them takes more"


def test_a_full_outbox_of_rubbish_holds_no_other_sender_up(three, sent: str) -> None:
    _, salem, karur = three
    for number in range(500):
        folder = box(karur, f"00000000-0000-4000-8000-{number:012d}")
        folder.mkdir(parents=True)
        (folder / "manifest.age").write_bytes(b"rubbish")
    salem.receiving.step()
    assert len(salem.kept()) == 3


def test_what_is_not_whole_yet_waits(three, sent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is taken within seconds once it is whole, however long it was written."""
    erode, salem, _ = three
    clock = [time.monotonic()]
    monkeypatch.setattr("appliance.referral.ledger.time.monotonic", lambda: clock[0])
    manifest = box(erode, sent) / "manifest.age"
    content = manifest.read_bytes()
    manifest.unlink()
    for _ in range(120):
        clock[0] += 1
        salem.receiving.step()
    assert salem.kept() == []
    manifest.write_bytes(content)
    for _ in range(5):
        clock[0] += 1
        salem.receiving.step()
    assert len(salem.kept()) == 3


def test_rubbish_does_not_fill_the_index(three, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that nobody signed come and go: so many of them are written down a day, and a true referral passes."""
    monkeypatch.setattr("appliance.referral.ledger.UNVOUCHED_A_DAY", 10)
    erode, salem, _ = three
    for _ in range(4):
        for _ in range(16):
            folder = box(erode, str(uuid4()))
            folder.mkdir(parents=True)
            (folder / "odd").touch()
        salem.receiving.step()
        shutil.rmtree(erode.context.outbox / "salem")
    with salem.archive.index.session() as session:
        rows = session.scalars(select(ReceivedReferral)).all()
        entries = session.scalars(select(AuditEntry).where(AuditEntry.action == "referral-received")).all()
    assert (len(rows), len(entries)) == (10, 10)
    erode.people.desk.request("ER-4711", None, "salem", ANBU)
    erode.sending.step()
    salem.receiving.step()
    assert len(salem.kept()) == 3


def test_a_refusal_is_in_the_audit_log(three, sent: str) -> None:
    rewritten(three, sent, lambda manifest: manifest, signer=BranchKeys.generate())
    salem = three[1]
    salem.receiving.step()
    wanted = select(AuditEntry.who, AuditEntry.outcome).where(AuditEntry.action == "referral-received")
    with salem.archive.index.session() as session:
        assert session.execute(wanted).all() == [("branch:erode", "refused")]
