"""Receiving from senders who mean harm, or whose root does: what is refused, and that it leaves nothing behind."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from exchange.errors import (
    BadSignature,
    CannotOpen,
    DirectoryExpired,
    Incomplete,
    Malformed,
    NotAllowed,
    NotForUs,
    ReferralExpired,
    Refused,
    Replayed,
    Tampered,
    TooLarge,
    UnknownYet,
)
from exchange.keys import BranchKeys
from exchange.offers import Offer, waiting
from exchange.receiving import judge, open_manifest, open_parcel
from exchange.sealing import seal, unseal
from exchange.signing import sign
from tests.exchange.road import NOW, offers, unseen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.manifest import Manifest
    from exchange.outgoing import Outgoing
    from tests.exchange.conftest import Kongu


def manifest_of(kongu: Kongu, sent: Outgoing) -> Manifest:
    offer = Offer("erode", sent.referral_id)
    return open_manifest(kongu.exchange, offer, "salem", kongu.keys["salem"], kongu.directory)


def forge(
    kongu: Kongu, letter: Path, manifest: Manifest | bytes, signer: str = "erode", recipient: str = "salem"
) -> None:
    """Replace the manifest, as root of the sender's VM can."""
    body = manifest if isinstance(manifest, bytes) else manifest.encode()
    sealed = seal(sign("manifest", body, kongu.keys[signer].sign), [kongu.keys[recipient].public.seal])
    (letter / "manifest.age").write_bytes(sealed)


# What changes on the way


@pytest.mark.parametrize("position", [0, 25, 120, 200, -1600, -700, -17, -1])
def test_one_changed_bit_in_a_parcel(letter: Path, salem: Callable[..., None], position: int) -> None:
    parcel = letter / "0001.parcel.age"
    content = bytearray(parcel.read_bytes())
    content[position] ^= 1
    parcel.write_bytes(content)
    salem(Tampered, "digest differs")


@pytest.mark.parametrize("position", [0, 25, 120, 200, -1600, -700, -17, -1])
def test_one_changed_bit_in_a_manifest(letter: Path, salem: Callable[..., None], position: int) -> None:
    manifest = letter / "manifest.age"
    content = bytearray(manifest.read_bytes())
    content[position] ^= 1
    manifest.write_bytes(content)
    salem(CannotOpen)


def test_a_parcel_that_is_cut_off(letter: Path, salem: Callable[..., None]) -> None:
    parcel = letter / "0002.parcel.age"
    os.truncate(parcel, parcel.stat().st_size - 1)
    salem(Tampered, "bytes, its manifest says")


def test_two_parcels_exchanged(letter: Path, salem: Callable[..., None]) -> None:
    """Grease makes sealed sizes differ by chance; either check refuses it."""
    first, second = letter / "0001.parcel.age", letter / "0002.parcel.age"
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    salem(Tampered)


def test_a_parcel_that_is_not_there(letter: Path, salem: Callable[..., None]) -> None:
    (letter / "0002.parcel.age").unlink()
    salem(Incomplete)


def test_a_parcel_changed_between_the_look_and_the_reading(kongu: Kongu, sent: Outgoing, tmp_path: Path) -> None:
    """What `open_manifest` saw is gone by the time of `open_parcel`: the digest and the size bound still hold."""
    manifest = manifest_of(kongu, sent)
    parcel = kongu.outbox("erode").path / sent.folder / "0001.parcel.age"
    with parcel.open("r+b") as stream:
        stream.truncate(10 << 30)
    with pytest.raises(TooLarge):
        open_parcel(kongu.exchange, manifest, manifest.parcels[0], kongu.keys["salem"], tmp_path)


# Who it is from, and for whom


def test_a_wrong_signature(kongu: Kongu, sent: Outgoing, letter: Path, salem: Callable[..., None]) -> None:
    forge(kongu, letter, manifest_of(kongu, sent), signer="karur")
    salem(BadSignature)


def test_an_unknown_sender(kongu: Kongu, letter: Path, sent: Outgoing, salem: Callable[..., None]) -> None:
    shutil.copytree(letter, kongu.root / "out/nowhere/salem" / sent.referral_id)
    salem(NotAllowed, "not in the directory", Offer("nowhere", sent.referral_id))
    found = waiting(kongu.exchange, "salem", kongu.directory, known=())
    assert [offer.sender for offer in found.offers] == ["erode"]
    assert found.warnings == ("from 'nowhere': nowhere is not in the directory (version 1)",)


def test_a_revoked_sender(kongu: Kongu, sent: Outgoing) -> None:
    revoked = kongu.changed("erode", revoked=True)
    found = waiting(kongu.exchange, "salem", revoked, known=())
    assert found.offers == ()
    assert "erode is revoked" in found.warnings[0]
    with pytest.raises(NotAllowed, match="revoked"):
        open_manifest(kongu.exchange, Offer("erode", sent.referral_id), "salem", kongu.keys["salem"], revoked)


def test_a_pair_that_may_not_refer(kongu: Kongu, sent: Outgoing) -> None:
    with pytest.raises(NotAllowed, match="may not refer"):
        judge(manifest_of(kongu, sent), replace(kongu.directory, referrals=()), now=NOW, seen=unseen)


def test_a_manifest_that_is_sealed_to_karur(
    kongu: Kongu, sent: Outgoing, letter: Path, salem: Callable[..., None]
) -> None:
    forge(kongu, letter, manifest_of(kongu, sent), recipient="karur")
    salem(CannotOpen)


def test_a_manifest_that_was_meant_for_karur(
    kongu: Kongu, sent: Outgoing, letter: Path, salem: Callable[..., None]
) -> None:
    """Karur, who received it, seals it on to salem: a signature by erode that is not for salem."""
    meant = replace(
        manifest_of(kongu, sent), recipient="karur", recipient_key_id=kongu.keys["karur"].public.fingerprint
    )
    forge(kongu, letter, meant)
    salem(NotForUs, "meant for karur")
    forge(kongu, letter, replace(meant, recipient="salem"))
    salem(NotForUs, "not ours")


def test_a_referral_lifted_from_anothers_outbox(
    kongu: Kongu, sent: Outgoing, letter: Path, salem: Callable[..., None]
) -> None:
    lifted = kongu.outbox("karur").path / sent.folder
    shutil.copytree(letter, lifted)
    offer = Offer("karur", sent.referral_id)
    salem(BadSignature, offer=offer)
    manifest = manifest_of(kongu, sent)
    forge(kongu, lifted, manifest, signer="karur")
    salem(BadSignature, "names a key that is not karur's", offer)
    forge(kongu, lifted, replace(manifest, sender_key_id=kongu.keys["karur"].public.fingerprint), signer="karur")
    salem(NotForUs, "erode's manifest lies in karur's outbox", offer)


def test_a_replay_under_another_id(kongu: Kongu, letter: Path, salem: Callable[..., None]) -> None:
    other = str(uuid4())
    shutil.copytree(letter, letter.with_name(other))
    salem(Replayed, "under another id", Offer("erode", other))


def test_a_replay_under_the_same_id_is_known(kongu: Kongu, sent: Outgoing) -> None:
    known = {Offer("erode", sent.referral_id)}
    assert waiting(kongu.exchange, "salem", kongu.directory, known).offers == ()


def test_another_branch_cannot_occupy_a_referrals_id(kongu: Kongu, sent: Outgoing) -> None:
    (kongu.outbox("karur").path / sent.folder).mkdir(parents=True)
    refused_for_good = {Offer("karur", sent.referral_id)}
    found = waiting(kongu.exchange, "salem", kongu.directory, refused_for_good)
    assert found.offers == (Offer("erode", sent.referral_id),)


def test_a_sequence_number_that_another_referral_has_used(kongu: Kongu, sent: Outgoing) -> None:
    manifest = manifest_of(kongu, sent)
    used = {(kongu.keys["erode"].public.fingerprint, 1): str(uuid4())}
    with pytest.raises(Replayed, match="sequence number 1"):
        judge(manifest, kongu.directory, now=NOW, seen=lambda *number: used.get(number))
    judge(manifest, kongu.directory, now=NOW, seen=lambda *_: manifest.referral_id)


def test_a_third_branch_holds_no_key(kongu: Kongu, letter: Path, sent: Outgoing) -> None:
    for file in letter.iterdir():
        for key in (kongu.keys["karur"].seal, kongu.keys["erode"].seal, kongu.community.seal):
            with pytest.raises(CannotOpen):
                unseal(file.read_bytes(), key)
    with pytest.raises(CannotOpen):
        open_manifest(kongu.exchange, Offer("erode", sent.referral_id), "salem", kongu.keys["karur"], kongu.directory)


# What a signed manifest says that is not so


def test_a_manifest_that_says_another_digest_than_its_instance_has(
    kongu: Kongu, sent: Outgoing, letter: Path, salem: Callable[..., None]
) -> None:
    manifest = manifest_of(kongu, sent)
    lying = replace(manifest.instances[0], sha256="0" * 64)
    forge(kongu, letter, replace(manifest, instances=(lying, *manifest.instances[1:])))
    salem(Tampered, "not the one that its manifest names")


@pytest.mark.parametrize(("said", "error"), [(1400, "more than"), (1600, "less than")])
def test_a_manifest_that_says_another_size(
    kongu: Kongu, sent: Outgoing, letter: Path, salem: Callable[..., None], said: int, error: str
) -> None:
    manifest = manifest_of(kongu, sent)
    first, parcel = manifest.instances[0], manifest.parcels[0]
    content = sent.files[0].path.read_bytes()[:said]
    shorter = replace(first, size=said, sha256=hashlib.sha256(content).hexdigest())
    changed = replace(
        manifest,
        instances=(shorter, *manifest.instances[1:]),
        parcels=(replace(parcel, plain_size=said), *manifest.parcels[1:]),
    )
    forge(kongu, letter, changed)
    salem(Tampered, error)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("parcels", []),
        ("instances", []),
        ("sequence", 0),
        ("sequence", "1"),
        ("sequence", True),
        ("sender", "../erode"),
        ("expires", "2026-11-21"),
        ("patient", None),
    ],
)
def test_a_manifest_that_is_none(
    kongu: Kongu, sent: Outgoing, letter: Path, salem: Callable[..., None], field: str, value: object
) -> None:
    body = json.loads(manifest_of(kongu, sent).encode()) | {field: value}
    forge(kongu, letter, json.dumps(body).encode())
    salem(Malformed, field)


def test_instances_must_fill_their_parcels_without_gap_or_overlap(kongu: Kongu, sent: Outgoing) -> None:
    manifest = manifest_of(kongu, sent)
    first, second, third = manifest.instances
    for instances in (
        (second, first, third),
        (first, second),
        (first, first, third),
        (replace(first, offset=1), second, third),
        (first, replace(second, parcel="0009.parcel.age"), third),
    ):
        with pytest.raises(ValueError, match="validation error"):
            replace(manifest, instances=instances)
    with pytest.raises(ValueError, match="larger than its content"):
        replace(manifest, parcels=(replace(manifest.parcels[0], size=1 << 40), *manifest.parcels[1:]))


# What time and the directory have to say


def test_a_newer_directory_is_waited_for(kongu: Kongu, sent: Outgoing) -> None:
    manifest = manifest_of(kongu, sent)
    with pytest.raises(UnknownYet):
        judge(replace(manifest, directory_version=2), kongu.directory, now=NOW, seen=unseen)


def test_a_senders_new_key_is_waited_for(kongu: Kongu, sent: Outgoing, letter: Path) -> None:
    new = BranchKeys.generate()
    rekeyed = kongu.changed("erode", keys=new.public, previous=(kongu.keys["erode"].public,))
    manifest = manifest_of(kongu, sent)
    offer = Offer("erode", sent.referral_id)
    assert open_manifest(kongu.exchange, offer, "salem", kongu.keys["salem"], rekeyed) == manifest
    kongu.keys["erode"] = new
    forge(kongu, letter, replace(manifest, sender_key_id=new.public.fingerprint, directory_version=2))
    with pytest.raises(UnknownYet):
        open_manifest(kongu.exchange, offer, "salem", kongu.keys["salem"], kongu.directory)
    assert open_manifest(kongu.exchange, offer, "salem", kongu.keys["salem"], rekeyed).sequence == 1


@pytest.mark.parametrize(("days", "error"), [(400, DirectoryExpired), (40, ReferralExpired), (-4000, None), (29, None)])
def test_a_clock_makes_wait_and_never_refuses(
    kongu: Kongu, sent: Outgoing, days: int, error: type[Exception] | None
) -> None:
    manifest = manifest_of(kongu, sent)
    now: datetime = NOW + timedelta(days=days)
    if error is None:
        judge(manifest, kongu.directory, now=now, seen=unseen)
        return
    assert not issubclass(error, Refused)
    with pytest.raises(error):
        judge(manifest, kongu.directory, now=now, seen=unseen)


def test_each_recipient_sees_its_own_letters_only(kongu: Kongu, sent: Outgoing) -> None:
    assert offers(kongu.exchange, "salem", kongu.directory) == (Offer("erode", sent.referral_id),)
    assert offers(kongu.exchange, "karur", kongu.directory) == ()
    assert offers(kongu.exchange, "erode", kongu.directory) == ()
