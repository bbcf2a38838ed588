"""The community's key was stolen: its Document deleted, the next apply makes other keys, and branches come in anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange import directory as directories
from exchange.keys import BranchKeys
from exchange.tls_key import TlsKey
from provision.enrolling.enrolment import enrol
from tests.provision.test_certificates import NOW, report, standing

if TYPE_CHECKING:
    from tests.provision.conftest import Office


@pytest.mark.parametrize("last", [3, 9_999_999_999], ids=["in order", "numbers used up"])
def test_a_deleted_document_leads_to_other_keys_and_the_same_branches(office: Office, last: int) -> None:
    office.apply()
    keys, tls_key = BranchKeys.generate(), TlsKey.generate()
    report(office, "erode", keys, tls_key)
    enrol(office.desk, office.community)
    former, before = office.found().keys, standing(office)
    assert former is not None
    directories.publish(office.desk.store, replace(before, version=last, branches=()), former.sign)
    context = office.found().view.appliances["erode"].text("TEMPLATE/CONTEXT/GURNEY_COMMUNITY_KEY")
    assert context == former.sign.public.text
    (document,) = [node.id for _, node in office.found().view.ours("keys")]
    office.raw("document.delete", document)
    done = office.apply()
    assert done.recovery_file is not None, "a new recovery secret, too"
    now = office.found()
    assert now.keys is not None
    assert not {now.keys.sign, now.keys.seal, now.keys.recovery} & {former.sign, former.seal, former.recovery}
    for vm in now.view.appliances.values():
        assert vm.text("TEMPLATE/CONTEXT/GURNEY_COMMUNITY_KEY") == now.keys.sign.public.text
    enrolment = enrol(office.desk, office.community)
    assert standing(office).branch("erode").keys == keys.public, "what it reported before proves it still"
    assert standing(office).branch("erode").tls_key == tls_key.public
    assert {each.login for each in enrolment.invitations} >= {"dr.anbu"}
    assert not office.plan()
    assert standing(office).version < 9_999_999_999, "counted on from what can be named"
    assert directories.latest(office.desk.store, "kongu", former.trusted, now=NOW).value.version == last
