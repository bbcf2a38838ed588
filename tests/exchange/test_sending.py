"""Sending: what lies in the outbox after it, after it again, and after trouble on the way."""

from __future__ import annotations

import os
import subprocess
import tracemalloc
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.acknowledgement import acknowledge, acknowledged, read_acknowledgement, remove, spent
from exchange.errors import DirectoryExpired, Incomplete, KeyChanged, NotAllowed, Tampered, TooLarge
from exchange.keys import BranchKeys
from exchange.offers import Offer
from exchange.outgoing import Outgoing, new_referral, next_sequence
from exchange.parcel import PARCEL_BYTES
from exchange.receiving import open_manifest
from exchange.sending import outstanding, send, withdraw
from tests.exchange.road import PATIENT, STUDY_UID, kept, offers, receive, referral

if TYPE_CHECKING:
    from pathlib import Path

    from tests.exchange.conftest import Kongu

SIZES = (1500, 700, 3000, 150, 200)
PARCELS = ["0001.parcel.age", "0002.parcel.age", "0003.parcel.age", "0004.parcel.age", "manifest.age"]


@pytest.fixture
def outgoing(kongu: Kongu, tmp_path: Path) -> Outgoing:
    return referral(kongu.directory, kept(tmp_path / "archive", SIZES))


def place(kongu: Kongu, outgoing: Outgoing) -> Path:
    return kongu.outbox("erode").path / outgoing.folder


def test_the_whole_road_and_back(kongu: Kongu, outgoing: Outgoing, tmp_path: Path, now: datetime) -> None:
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    (offer,) = offers(kongu.exchange, "salem", kongu.directory)
    arrived = receive(kongu.exchange, offer, "salem", kongu.keys["salem"], kongu.directory, tmp_path / "spool")
    assert [item.path.read_bytes() for item in arrived] == [file.path.read_bytes() for file in outgoing.files]
    assert [item.instance.sop_instance_uid for item in arrived] == [f.sop_instance_uid for f in outgoing.files]

    manifest = open_manifest(kongu.exchange, offer, "salem", kongu.keys["salem"], kongu.directory)
    assert manifest.patient == PATIENT
    acknowledge(kongu.outbox("salem"), offer, "salem", kongu.keys["salem"], kongu.directory, arrived=5, total=5, at=now)
    ((recipient, referral_id),) = acknowledged(kongu.exchange, "erode", kongu.directory)
    answer = read_acknowledgement(kongu.exchange, "erode", recipient, referral_id, kongu.keys["erode"], kongu.directory)
    assert (answer.referral_id, answer.arrived, answer.total) == (outgoing.referral_id, 5, 5)
    assert spent(kongu.exchange, kongu.outbox("salem"), "salem") == []

    withdraw(kongu.outbox("erode"), "salem", referral_id)
    assert list(outstanding(kongu.outbox("erode"))) == []
    (gone,) = spent(kongu.exchange, kongu.outbox("salem"), "salem")
    remove(kongu.outbox("salem"), [gone])
    assert [path.name for path in kongu.files()] == ["0000000001.json"]


def test_repeating_it_changes_nothing(kongu: Kongu, outgoing: Outgoing) -> None:
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    before = {path.name: (path.stat().st_ino, path.read_bytes()) for path in place(kongu, outgoing).iterdir()}
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    assert {path.name: (path.stat().st_ino, path.read_bytes()) for path in place(kongu, outgoing).iterdir()} == before
    assert sorted(before) == PARCELS


def test_what_was_written_before_a_crash_is_used(kongu: Kongu, outgoing: Outgoing, tmp_path: Path) -> None:
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    folder = place(kongu, outgoing)
    first = (folder / PARCELS[0]).read_bytes()
    for name in PARCELS[2:]:
        (folder / name).unlink()
    progress: list[tuple[int, int]] = []
    frozen_again = Outgoing.decode(outgoing.encode())
    send(
        kongu.outbox("erode"),
        frozen_again,
        kongu.keys["erode"],
        kongu.directory,
        lambda done, of: progress.append((done, of)),
    )
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert (folder / PARCELS[0]).read_bytes() == first
    offer = Offer("erode", outgoing.referral_id)
    assert len(receive(kongu.exchange, offer, "salem", kongu.keys["salem"], kongu.directory, tmp_path / "spool")) == 5


def test_the_manifest_is_written_last(kongu: Kongu, outgoing: Outgoing) -> None:
    outgoing.files[-1].path.unlink()
    with pytest.raises(Tampered, match="cannot be read: No such file"):
        send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    assert sorted(path.name for path in place(kongu, outgoing).iterdir()) == PARCELS[:3]
    with pytest.raises(Incomplete):
        open_manifest(
            kongu.exchange, Offer("erode", outgoing.referral_id), "salem", kongu.keys["salem"], kongu.directory
        )


def test_a_file_that_is_not_what_the_index_says_is_not_sent(kongu: Kongu, outgoing: Outgoing) -> None:
    content = bytearray(outgoing.files[0].path.read_bytes())
    content[700] ^= 1
    outgoing.files[0].path.write_bytes(content)
    with pytest.raises(Tampered, match=r"1\.dcm"):
        send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    assert list(place(kongu, outgoing).iterdir()) == []


def test_withdrawing_may_be_repeated(kongu: Kongu, outgoing: Outgoing) -> None:
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    assert list(outstanding(kongu.outbox("erode"))) == [("salem", outgoing.referral_id)]
    for _ in range(2):
        withdraw(kongu.outbox("erode"), "salem", outgoing.referral_id)
        assert offers(kongu.exchange, "salem", kongu.directory) == ()


def test_a_recipient_with_new_keys_gets_a_new_referral(kongu: Kongu, outgoing: Outgoing) -> None:
    rekeyed = kongu.changed("salem", keys=BranchKeys.generate().public)
    with pytest.raises(KeyChanged, match="made again"):
        send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], rekeyed)


def test_a_recipient_that_was_revoked_meanwhile_gets_nothing(kongu: Kongu, outgoing: Outgoing) -> None:
    with pytest.raises(NotAllowed):
        send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.changed("salem", revoked=True))
    assert not place(kongu, outgoing).exists()


def test_a_new_referral_needs_a_fresh_directory_that_allows_it(kongu: Kongu, outgoing: Outgoing) -> None:
    with pytest.raises(NotAllowed):
        referral(kongu.directory, outgoing.files, sender="salem", recipient="karur")
    with pytest.raises(DirectoryExpired):
        new_referral(
            kongu.directory,
            sender="erode",
            recipient="salem",
            sequence=1,
            patient=PATIENT,
            studies=[],
            files=outgoing.files,
            now=kongu.directory.expires + timedelta(days=1),
        )


def test_a_referral_has_a_limit(kongu: Kongu, outgoing: Outgoing) -> None:
    with pytest.raises(TooLarge, match="fewer studies"):
        referral(kongu.directory, outgoing.files[:1] * 20_001)
    with pytest.raises(TooLarge, match="fewer studies"):
        referral(kongu.directory, outgoing.files[:1] * 10_000, parcel_bytes=1)


def test_nothing_readable_names_the_patient(kongu: Kongu, outgoing: Outgoing, now: datetime) -> None:
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    (offer,) = offers(kongu.exchange, "salem", kongu.directory)
    refused = f"{PATIENT.name} is not expected"
    salem = kongu.keys["salem"]
    assert len(open_manifest(kongu.exchange, offer, "salem", salem, kongu.directory).instances) == len(SIZES)
    acknowledge(
        kongu.outbox("salem"), offer, "salem", salem, kongu.directory, arrived=0, total=5, at=now, refused=refused
    )
    everything = b"".join(os.fsencode(path) + path.read_bytes() for path in kongu.files())
    assert len(everything) > sum(SIZES)
    for word in (PATIENT.name, "Murugan", PATIENT.patient_id, PATIENT.birth_date, STUDY_UID, "DICM", "Thorax"):
        assert word.encode() not in everything


def test_debians_age_opens_a_parcel_with_the_recipients_identity(
    kongu: Kongu, outgoing: Outgoing, tmp_path: Path
) -> None:
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    for branch, opens in (("salem", True), ("karur", False)):
        identity = tmp_path / branch
        identity.write_text(kongu.keys[branch].seal.text)
        command = ["age", "--decrypt", "--identity", identity, place(kongu, outgoing) / "0004.parcel.age"]
        opened = subprocess.run(command, capture_output=True, check=False)
        assert (opened.returncode == 0) is opens
        assert opened.stdout == (b"".join(f.path.read_bytes() for f in outgoing.files[3:]) if opens else b"")


def test_no_log_line_names_the_patient(outgoing: Outgoing) -> None:
    assert "Murugan" not in repr(outgoing)
    with pytest.raises(ValueError, match="sequence") as wrong:
        replace(outgoing, sequence=0, patient={"name": PATIENT.name})  # type: ignore[arg-type]
    assert "Murugan" not in str(wrong.value)


def test_sending_and_receiving_do_not_grow_in_memory(kongu: Kongu, tmp_path: Path) -> None:
    large = kept(tmp_path / "archive", [50 << 20, 1000])
    tracemalloc.start()
    outgoing = referral(kongu.directory, large, parcel_bytes=PARCEL_BYTES)
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    offer = Offer("erode", outgoing.referral_id)
    arrived = receive(kongu.exchange, offer, "salem", kongu.keys["salem"], kongu.directory, tmp_path / "spool")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [item.path.stat().st_size for item in arrived] == [50 << 20, 1000]
    assert peak < 4 << 20


def test_a_sequence_number_is_not_used_twice_whatever_the_clock_or_the_index_say(now: datetime) -> None:
    first = next_sequence(0, now)
    assert next_sequence(first, now) == first + 1
    assert next_sequence(first, now - timedelta(days=900)) == first + 1
    assert next_sequence(0, now + timedelta(seconds=1)) > first + 1


def test_a_frozen_referral_packs_the_same_way_again(outgoing: Outgoing) -> None:
    assert outgoing.parcels == (slice(0, 1), slice(1, 2), slice(2, 3), slice(3, 5))
    assert replace(outgoing, parcel_bytes=10_000).parcels == (slice(0, 5),)
    assert Outgoing.decode(outgoing.encode()) == outgoing
