"""The community's keys were stolen and thrown away: the next apply makes others, and branches come in anew."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange import directory as directories
from exchange.keys import BranchKeys
from exchange.tls_key import TlsKey
from provision.enrolling.discarding import discard_keys
from provision.enrolling.enrolment import enrol
from provision.enrolling.revocation import revoke
from provision.errors import ProvisionError
from tests.provision.certified import NOW, report, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.branch_desk import BranchDesk
    from tests.provision.conftest import Office


@pytest.mark.parametrize("last", [3, 9_999_999_999], ids=["in order", "numbers used up"])
def test_keys_that_are_thrown_away_lead_to_other_keys_and_the_same_branches(office: Office, last: int) -> None:
    office.apply()
    keys, tls_key = BranchKeys.generate(), TlsKey.generate()
    report(office, "erode", keys, tls_key)
    enrol(office.desk, office.community)
    former, before = office.found().keys, standing(office)
    assert former is not None
    directories.publish(office.desk.store, replace(before, version=last, branches=()), former.sign)
    context = office.found().view.appliances["erode"].text("TEMPLATE/CONTEXT/GURNEY_COMMUNITY_KEY")
    assert context == former.sign.public.text
    discard_keys(office.desk, office.community)
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


def test_a_revoked_branch_does_not_come_back_by_it(office: Office) -> None:
    office.apply()
    report(office, "erode", BranchKeys.generate(), TlsKey.generate())
    enrol(office.desk, office.community)
    revoke(office.desk, "kongu", ["erode"])
    with pytest.raises(ProvisionError, match="erode: revoked, and still in the community file"):
        discard_keys(office.desk, office.community)
    assert office.found().keys is not None


def test_the_command_asks_and_tells_what_comes_next(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk()
    before = desk.office.found().keys
    desk.run("discard-keys")
    assert desk.office.found().keys == before, "nobody has said yes"
    code, out, err = desk.run("discard-keys", "--yes", "--json")
    assert (code, json.loads(out)) == (0, {"discarded": "kongu"})
    assert "gurney apply --wait" in err
    assert desk.office.found().keys is None
    code, _, err = desk.run("discard-keys", "--yes")
    assert (code, "has no keys" in err) == (4, True)
    assert not desk.office.apply().after
    assert desk.office.found().keys != before
