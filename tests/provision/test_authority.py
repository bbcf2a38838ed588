"""The community's authority replaced: announced or at once, killed on the way, and seen by real appliances."""

from __future__ import annotations

import json
import os
from itertools import count
from typing import TYPE_CHECKING

import httpx
import pytest

from exchange.certificate import Certificate
from exchange.keys import BranchKeys
from exchange.tls_key import TlsKey
from exchange.trust import trust_in
from provision.desk import Desk as Workplace
from provision.enrolling.enrolment import enrol, wait_until_ready
from provision.enrolling.published import publish_directory
from provision.enrolling.replacement import replace_authority
from provision.errors import Busy, ProvisionError
from provision.fleet.branch_status import trust_of
from tests.provision.certified import certificate, report, standing, with_certificates
from tests.provision.mortal import MortalCloud

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.provision.branch_desk import BranchDesk
    from tests.provision.conftest import Office


def check_whole(office: Office) -> None:
    """The authority whose key is locked in the Document has signed all there is, and nothing is left to do."""
    keys, directory = office.found().keys, standing(office)
    assert keys is not None
    assert keys.authority is not None
    assert Certificate(directory.authority).key_id == keys.authority.key_id
    assert {certificate(office, name).issuer_key_id for name in ("erode", "salem")} == {keys.authority.key_id}
    the_plan = office.plan()
    assert not the_plan
    assert not [words for words in the_plan.conditions if "authority" in words]


def replace_and_die(office: Office, last: int, *, before: bool) -> bool:
    """Replace it in a process of its own that dies; whether it did."""
    child = os.fork()
    if child == 0:
        try:
            cloud = MortalCloud(office.embedded.endpoint, office.embedded.session, last=last, before=before)
            replace_authority(Workplace(cloud, office.desk.store, office.desk.identity), office.community)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("by_apply", [False, True], ids=["again", "apply"])
def test_killed_at_every_call_it_is_finished_by_the_next(office: Office, by_apply: bool) -> None:
    with_certificates(office)
    for last in count(1):
        former = standing(office)
        died = replace_and_die(office, last, before=False)
        half = office.plan()
        assert bool(half) == any("replacement" in words for words in half.conditions), "it is told, and planned"
        if half:
            assert [(step.kind, [change.field for change in step.changes]) for step in half] == [
                ("directory", ["certificates_due"])
            ]
            office.apply() if by_apply else replace_authority(office.desk, office.community)
        check_whole(office)
        replaced = standing(office).former_authorities[len(former.former_authorities) :]
        assert replaced in {(), (former.authority,)}, "never two at once"
        if not died:
            break
    assert last > 3


def test_who_has_read_the_keys_before_cannot_bring_the_former_one_back(office: Office) -> None:
    stale = with_certificates(office).found().keys
    assert stale is not None
    replace_authority(office.desk, office.community)
    with pytest.raises(Busy, match="replaced"):
        publish_directory(office.desk.store, stale, "kongu", [], standing(office).referrals)
    check_whole(office)


def test_an_appliance_that_is_enrolled_meanwhile_completes_it(office: Office) -> None:
    """Between the locking of the key and the directory: no directory is of two authorities."""
    with_certificates(office)
    assert replace_and_die(office, 3, before=False)
    assert office.plan()
    report(office, "karur", BranchKeys.generate(), TlsKey.generate())
    enrol(office.desk, office.community)
    assert certificate(office, "karur").issuer_key_id == Certificate(standing(office).authority).key_id
    check_whole(office)


def test_without_an_authority_there_is_nothing_to_replace(office: Office) -> None:
    office.apply()
    with pytest.raises(ProvisionError, match="no authority's certificate yet"):
        replace_authority(office.desk, office.community)


def test_the_command_announces_and_replaces(new_desk: Callable[..., BranchDesk], tmp_path: Path) -> None:
    desk = new_desk()
    office = with_certificates(desk.office)
    first = Certificate(standing(office).authority)
    assert desk.run("authority", "--announce", "--replace")[0] == 2
    code, out, _ = desk.run("authority", "--announce", "--json")
    coming = json.loads(out)
    assert (code, coming["fingerprint_sha256"]) == (0, coming["next_fingerprint_sha256"])
    assert coming["fingerprint_sha256"] != first.fingerprint
    assert json.loads(desk.run("authority", "--announce", "--json")[1]) == coming, "again: the same"
    the_plan = office.plan()
    assert not the_plan
    assert any(coming["fingerprint_sha256"] in words for words in the_plan.conditions)
    assert json.loads(desk.run("authority", "--json")[1])["fingerprint_sha256"] == first.fingerprint
    written = tmp_path / "kongu.pem"
    code, out, err = desk.run("authority", "--replace", "--yes", "--json", "--output", str(written))
    told = json.loads(out)
    assert (code, told["pem"], told["next_fingerprint_sha256"]) == (0, coming["pem"], "")
    assert (written.read_text(), told["former_fingerprint_sha256"]) == (coming["pem"], first.fingerprint)
    assert "remove the former one" in err.replace("\n", " ")
    check_whole(office)


def test_the_revocation_list_is_printed(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk()
    office = with_certificates(desk.office)
    serial = f"{certificate(office, 'erode').serial:x}"
    assert json.loads(desk.run("authority", "--crl", "--json")[1])["revoked"] == []
    assert desk.run("revoke", "erode", "--yes")[0] == 0
    code, out, _ = desk.run("authority", "--crl")
    assert (code, out.splitlines()[0]) == (0, "-----BEGIN X509 CRL-----")
    assert [each["serial"] for each in json.loads(desk.run("authority", "--crl", "--json")[1])["revoked"]] == [serial]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_real_appliances_take_it_up_and_the_former_one_is_believed_no_more(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk(driver="process")
    office = desk.office
    before = wait_until_ready(office.desk, office.community, 120)
    assert before.ready
    former = Certificate(before.authority)
    assert desk.run("authority", "--replace", "--yes")[0] == 0
    after = wait_until_ready(office.desk, office.community, 120)
    assert after.ready, [branch.words for branch in after.branches]
    assert Certificate(after.authority).key_id != former.key_id
    trust = trust_of(office.found())
    assert trust is not None
    for branch in after.branches:
        told = httpx.get(f"{branch.http}/health", verify=trust, trust_env=False)
        assert told.json()["branch"] == branch.name
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"{branch.http}/health", verify=trust_in(former), trust_env=False)
        page = httpx.get(f"{branch.http}/trust", verify=trust, trust_env=False).text
        assert Certificate(after.authority).fingerprint in page
        assert former.fingerprint in page, "which is to be removed"
