"""Proof of possession and the first-key rule."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.admission import Applicant, admitted
from exchange.errors import BadSignature, KeyChanged, NotAllowed
from exchange.keys import BranchKeys, PublicKeys
from exchange.proof import check_proof, hand_over, prove

if TYPE_CHECKING:
    from exchange.directory import DirectoryBranch

OLD, NEW = BranchKeys.generate(), BranchKeys.generate()


def applicant(keys: BranchKeys, vm_id: int = 7, **changes: object) -> Applicant:
    made = Applicant(
        branch="erode",
        title="Erode Town Hospital",
        ae_title="ERODE",
        vm_id=vm_id,
        keys=keys.public,
        proof=prove(keys, "kongu", "erode", vm_id),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


KNOWN = admitted(applicant(OLD), known=None, community="kongu")


def test_the_first_key_is_taken() -> None:
    assert KNOWN.keys == OLD.public
    assert KNOWN.vm_id == 7


def test_a_proof_is_one_word_that_fits_a_template() -> None:
    assert set(prove(OLD, "kongu", "erode", 7)).isdisjoint("\"' \n]")


@pytest.mark.parametrize(
    "claim",
    [
        {"community": "other", "branch": "erode", "vm_id": 7},
        {"community": "kongu", "branch": "salem", "vm_id": 7},
        {"community": "kongu", "branch": "erode", "vm_id": 8},
    ],
)
def test_a_proof_holds_for_one_community_branch_and_vm(claim: dict[str, object]) -> None:
    text = prove(OLD, "kongu", "erode", 7)
    check_proof(text, OLD.public, "kongu", "erode", 7)
    with pytest.raises(BadSignature):
        check_proof(text, OLD.public, **claim)  # type: ignore[arg-type]


def test_a_proof_binds_the_sealing_key() -> None:
    mixed = PublicKeys(sign=OLD.public.sign, seal=NEW.public.seal)
    with pytest.raises(BadSignature):
        check_proof(prove(OLD, "kongu", "erode", 7), mixed, "kongu", "erode", 7)


@pytest.mark.parametrize("junk", ["", "é", "AAAA", "not base64"])
def test_junk_proves_nothing(junk: str) -> None:
    with pytest.raises(BadSignature):
        admitted(applicant(OLD, proof=junk), known=None, community="kongu")


def test_the_same_keys_change_nothing() -> None:
    assert admitted(applicant(OLD), known=KNOWN, community="kongu") == KNOWN


def test_the_same_keys_in_a_new_vm_are_taken() -> None:
    moved = admitted(applicant(OLD, vm_id=9), known=KNOWN, community="kongu")
    assert moved == replace(KNOWN, vm_id=9)


def test_other_keys_are_not_taken_on_sight() -> None:
    with pytest.raises(KeyChanged, match="--rekey") as changed:
        admitted(applicant(NEW), known=KNOWN, community="kongu")
    assert (changed.value.old, changed.value.new) == (OLD.public.fingerprint, NEW.public.fingerprint)


def test_other_keys_are_taken_when_the_old_ones_hand_over() -> None:
    signed = hand_over(OLD, NEW.public, "kongu", "erode")
    taken = admitted(applicant(NEW, hand_over=signed), known=KNOWN, community="kongu")
    assert taken.keys == NEW.public
    assert taken.previous == (OLD.public,)


def test_a_hand_over_by_someone_else_is_none() -> None:
    signed = hand_over(NEW, NEW.public, "kongu", "erode")
    with pytest.raises(KeyChanged):
        admitted(applicant(NEW, hand_over=signed), known=KNOWN, community="kongu")


def test_a_hand_over_names_the_new_keys() -> None:
    signed = hand_over(OLD, BranchKeys.generate().public, "kongu", "erode")
    with pytest.raises(KeyChanged):
        admitted(applicant(NEW, hand_over=signed), known=KNOWN, community="kongu")


def test_a_fingerprint_read_from_the_console_is_taken_and_the_old_keys_are_dropped() -> None:
    taken = admitted(applicant(NEW), known=KNOWN, community="kongu", rekey=NEW.public.fingerprint)
    assert taken.keys == NEW.public
    assert taken.previous == ()


def test_another_fingerprint_is_not() -> None:
    with pytest.raises(KeyChanged):
        admitted(applicant(NEW), known=KNOWN, community="kongu", rekey=OLD.public.fingerprint)


@pytest.mark.parametrize("known", [None, KNOWN, replace(KNOWN, revoked=True)], ids=["first", "known", "revoked"])
def test_keys_that_are_not_the_compared_ones_are_never_taken(known: DirectoryBranch | None) -> None:
    for compared in (NEW.public.fingerprint, "AAAA-AAAA-AAAA-AAAA-AAAA", ""):
        with pytest.raises(KeyChanged, match="another machine, or a slip") as changed:
            admitted(applicant(OLD), known=known, community="kongu", rekey=compared)
        assert (changed.value.old, changed.value.new) == (compared, OLD.public.fingerprint)


def test_compared_keys_are_taken_as_the_first_ones() -> None:
    assert admitted(applicant(OLD), known=None, community="kongu", rekey=OLD.public.fingerprint) == KNOWN


def test_a_revoked_branch_stays_out() -> None:
    for keys in (OLD, NEW):
        with pytest.raises(NotAllowed, match="--rekey"):
            admitted(applicant(keys), known=replace(KNOWN, revoked=True), community="kongu")


def test_an_admin_takes_a_revoked_branch_back_by_its_fingerprint() -> None:
    revoked = replace(KNOWN, revoked=True, previous=(NEW.public,))
    assert admitted(applicant(OLD), known=revoked, community="kongu", rekey=OLD.public.fingerprint) == KNOWN


def test_a_fingerprint_vouched_for_again_changes_nothing() -> None:
    certified = replace(KNOWN, tls_key="key", certificate="certificate")
    again = admitted(applicant(OLD), known=certified, community="kongu", rekey=OLD.public.fingerprint)
    assert again == certified
    handed = replace(certified, previous=(NEW.public,))
    assert admitted(applicant(OLD), known=handed, community="kongu", rekey=OLD.public.fingerprint) == KNOWN
