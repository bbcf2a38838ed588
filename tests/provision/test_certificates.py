"""Certificates from the admin's side: given on enrolment, renewed by apply, for no address that a guest can make up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.authority import LIFETIME, Authority
from exchange.certificate import Certificate
from exchange.keys import BranchKeys
from exchange.tls_key import TlsKey
from provision.enrolling.enrolment import enrol
from provision.enrolling.revocation import revoke
from provision.kinds.keys import opened
from tests.provision.certified import aged, certificate, publish, report, standing, with_certificates

if TYPE_CHECKING:
    from tests.provision.conftest import Office


@pytest.fixture
def certified(office: Office) -> Office:
    return with_certificates(office)


def test_enrolment_gives_a_certificate_for_the_branch_s_name_and_address(certified: Office) -> None:
    given = certificate(certified)
    assert given.names == {"erode", "10.20.1.10"}
    authority = Certificate.from_text(standing(certified).authority)
    assert given.issuer_key_id == authority.key_id
    assert authority.permitted[0] == {"erode", "salem"}
    assert not certified.plan(), "and it is no drift"
    assert enrol(certified.desk, certified.community).directory_version == 1, "nor a reason to publish again"


def test_the_authority_s_key_is_locked_with_the_others(certified: Office) -> None:
    (document,) = [node for key, node in certified.found().view.ours("keys")]
    keys = opened(document, certified.desk.identity)
    assert keys.authority is not None
    assert keys.authority.key_id == Certificate(standing(certified).authority).key_id
    secret = keys.authority.text
    assert secret not in str(document.attributes())
    everything = b"".join(path.read_bytes() for path in certified.exchange.rglob("*") if path.is_file())
    assert secret.encode() not in everything


def test_what_a_guest_agent_reports_is_in_no_certificate(certified: Office) -> None:
    """Root of a VM may say that it has another's address; only that of its card, which OpenNebula gave it, counts."""
    vm = certified.found().view.appliances["salem"].id
    certified.raw("vm.update", vm, 'GUEST_IP="10.20.1.10"\nHOSTNAME="erode"\nNIC=[IP="10.20.1.10"]', 1)
    report(certified, "salem", BranchKeys.generate(), TlsKey.generate())
    enrol(certified.desk, certified.community)
    assert certificate(certified, "salem").names == {"salem", "10.20.2.10"}


@pytest.mark.parametrize("days", [100, 1, -3])
def test_apply_renews_it_in_the_last_third_of_its_life(certified: Office, days: int) -> None:
    aged(certified, "erode", timedelta(days=days))
    before = standing(certified).branch("erode")
    the_plan = certified.plan()
    assert [(step.kind, [change.field for change in step.changes]) for step in the_plan] == [
        ("directory", ["certificates_due"])
    ]
    assert any(words.startswith("erode: its TLS certificate end") for words in the_plan.conditions)
    done = certified.apply()
    assert not done.after
    assert not any("certificate" in words for words in done.after.conditions)
    after = standing(certified).branch("erode")
    assert Certificate(after.certificate).until > datetime.now(UTC) + LIFETIME - timedelta(days=1)
    assert replace(after, certificate="") == replace(before, certificate=""), "for the same key"


def test_it_is_left_alone_for_two_thirds_of_its_life(certified: Office) -> None:
    aged(certified, "erode", timedelta(days=140))
    assert not certified.plan()


def test_a_new_key_for_tls_is_taken_as_the_branch_s_keys_vouch_for_it(certified: Office) -> None:
    keys, new = BranchKeys.generate(), TlsKey.generate()
    report(certified, "karur", keys, TlsKey.generate())
    enrol(certified.desk, certified.community)
    report(certified, "karur", keys, new)
    enrol(certified.desk, certified.community)
    assert certificate(certified, "karur").key == new.public


def test_a_request_that_the_keys_do_not_vouch_for_is_refused(certified: Office) -> None:
    keys, vm = BranchKeys.generate(), certified.found().view.appliances["karur"].id
    report(certified, "karur", keys, TlsKey.generate())
    certified.raw("vm.update", vm, f'GURNEY_TLS_REQUEST="{TlsKey.generate().request()}"', 1)
    enrolment = enrol(certified.desk, certified.community)
    assert "request for a certificate" in enrolment.refused["karur"]
    assert standing(certified).find("karur") is None


def test_a_revoked_branch_has_no_certificate_and_gets_none(certified: Office) -> None:
    revoke(certified.desk, "kongu", ["erode"])
    entry = standing(certified).find("erode")
    assert entry is not None
    assert (entry.revoked, entry.certificate) == (True, "")
    assert not certified.plan()
    enrol(certified.desk, certified.community)
    assert standing(certified).find("erode") == entry


def test_a_community_from_before_there_was_an_authority_gets_one(certified: Office) -> None:
    """Its keys are locked again with an authority, and the branches get certificates, in one apply."""
    keys = certified.found().keys
    assert keys is not None
    (document,) = [node for _, node in certified.found().view.ours("keys")]
    old = replace(keys, authority=None).locked([certified.desk.identity.recipient]).replace("\n", "\\n")
    attributes = document.attributes()
    text = "\n".join(
        f'{name}="{old if name == "GURNEY_BODY" else value}"'
        for name, value in attributes.items()
        if name != "GURNEY_AUTHORITY_KEY"
    )
    certified.raw("document.update", document.id, text.replace("\\n", "\n"), 0)
    publish(certified, *(replace(entry, certificate="") for entry in standing(certified).branches))
    assert {step.kind for step in certified.plan()} == {"keys", "directory"}
    assert not certified.apply().after
    authority = certified.found().keys
    assert authority is not None
    assert authority.authority is not None
    assert authority.authority != keys.authority
    assert {certificate(certified, name).issuer_key_id for name in ("erode", "salem")} == {authority.authority.key_id}
    assert Authority(authority.authority.text).key_id == Certificate(standing(certified).authority).key_id
