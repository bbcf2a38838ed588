"""`gurney branch invite`: a password is forgotten, or a code was lost; another code is the way back in."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest

from exchange import places
from exchange.certificate import Certificate
from exchange.folder import Folder
from exchange.keys import BranchKeys
from exchange.trust import trust_in
from provision.declaring.reading import parse
from provision.enrolling.enrolment import enrol, wait_until_ready
from provision.enrolling.inviting import invite_again
from provision.enrolling.revocation import revoke
from provision.errors import ProvisionError
from provision.fleet.branch_status import statuses_of
from provision.fleet.visitor import LOGIN, visiting
from tests.provision.meanwhile import Meanwhile, rekey, told
from tests.provision.reporting import report
from tests.provision.restored import health, restored
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.invitation import Invitation
    from exchange.store import Entry
    from provision.enrolling.published import NewInvitation
    from tests.provision.conftest import Office
    from tests.provision.shell import Shell

FIRST, SECOND = "three blue kites over erode", "four green boats at karur"


def invitations(office: Office, keys: BranchKeys) -> dict[str, Invitation]:
    """What Erode's appliance accepts."""
    return {member.login: member.invitation for member in told(office, keys).staff if member.invitation is not None}


@pytest.mark.parametrize("as_json", [True, False])
def test_the_new_code_is_shown_and_published_and_the_old_one_is_dead(shell: Shell, *, as_json: bool) -> None:
    office, own = shell.office, BranchKeys.generate()
    office.apply()
    report(office, "erode", own)
    enrol(office.desk, office.community)
    (first,) = (each for each in office.desk.invitations if each.login == "dr.anbu")
    before = invitations(office, own)
    code, out, err = shell.run("branch", "invite", *(["--json"] if as_json else []), "erode", "dr.anbu")
    assert code == 0, err
    if as_json:
        (shown,) = json.loads(out)["invitations"]
        assert (shown["branch"], shown["login"], shown["role"]) == ("erode", "dr.anbu", "doctor")
        second = shown["code"]
    else:
        second = next(line.split()[3] for line in out.splitlines() if line.strip().startswith("erode"))
    after, now = invitations(office, own), datetime.now(UTC)
    assert (after["dr.anbu"].accepts(second, now), after["dr.anbu"].accepts(first.code, now)) == (True, False)
    assert after["r.devi"] == before["r.devi"], "nobody else's"
    assert not office.plan(), "an invitation is no drift"
    enrol(office.desk, office.community)
    assert invitations(office, own) == after


def test_nobody_of_that_login_is_told_with_who_there_is(
    shell: Shell,
    example_text: str,
    tmp_path: Path,
) -> None:
    office, own = shell.office, BranchKeys.generate()
    office.apply()
    code, _, err = shell.run("branch", "invite", "erode", "dr.anbu")
    assert code == 4
    assert "erode is not enrolled yet" in err
    report(office, "erode", own)
    enrol(office.desk, office.community)
    code, _, err = shell.run("branch", "invite", "erode", "dr.abnu")
    assert code == 4
    assert "erode has nobody with the login 'dr.abnu'; there are dr.anbu, r.devi" in " ".join(err.split())
    late = tmp_path / "late.yaml"
    late.write_text(example_text.replace("dr.anbu: doctor", "dr.anbu: doctor, dr.late: doctor"))
    code, _, err = shell.run("branch", "invite", "erode", "dr.late", file=late)
    assert code == 4
    assert "dr.late is in the community file only: `gurney apply`" in " ".join(err.split())
    assert shell.run("branch", "invite", "nowhere", "dr.anbu")[0] == 2
    assert told(office, own).version == 1, "nothing was published"


def test_a_revoked_branch_gets_none(office: Office, keys: BranchKeys) -> None:
    revoke(office.desk, "kongu", ["erode"])
    with pytest.raises(ProvisionError, match="not in the directory any more"):
        invite_again(office.desk, office.community, "erode", "dr.anbu")
    assert told(office, keys).version == 1


def test_one_code_is_told_though_the_keys_change_meanwhile(office: Office, keys: BranchKeys) -> None:
    changed = BranchKeys.generate()
    slow = replace(office.desk, store=Meanwhile(office, partial(rekey, office, changed)), invitations=[])
    made = invite_again(slow, office.community, "erode", "dr.anbu")
    assert slow.invitations == [made]
    assert invitations(office, changed)["dr.anbu"].accepts(made.code, datetime.now(UTC))


def test_a_code_is_at_the_desk_though_the_exchange_goes_once_it_is_published(
    office: Office,
    keys: BranchKeys,
) -> None:
    directory = office.exchange / "community" / "directory"

    class Lost(Folder):
        """An exchange that loses the directory once settings are written: it is read again at the end."""

        def list(self, name: str) -> Iterator[Entry]:
            if name == places.DIRECTORY and told(office, keys).version == 2 and directory.exists():
                directory.rename(office.folder / "directory")
            return super().list(name)

    at = replace(office.desk, store=Lost(office.exchange), invitations=[])
    with pytest.raises(ProvisionError):
        invite_again(at, office.community, "erode", "dr.anbu")
    (office.folder / "directory").rename(directory)
    (made,) = at.invitations
    assert invitations(office, keys)["dr.anbu"].accepts(made.code, datetime.now(UTC))


def test_an_acceptance_test_invites_nobody_but_its_visitor(
    new_office: Callable[..., Office], example_text: str
) -> None:
    """Who is declared and not published yet is invited by the next apply, which shows the code."""
    text = example_text[: example_text.index("  salem:")]
    office, own = replace(new_office(), community=parse(text)), BranchKeys.generate()
    office.apply()
    report(office, "erode", own)
    enrol(office.desk, office.community)
    before = invitations(office, own)
    more = text.replace("dr.anbu: doctor", "dr.anbu: doctor, dr.late: doctor")
    with visiting(office.desk, parse(more), "127.0.0.1") as visitors:
        assert invitations(office, own)[LOGIN].accepts(visitors["erode"].code, datetime.now(UTC))
        invited = invite_again(office.desk, office.community, "erode", "r.devi")
    after = invitations(office, own)
    assert after.pop("r.devi").accepts(invited.code, datetime.now(UTC)), "what others publish meanwhile stays"
    assert after == {"dr.anbu": before["dr.anbu"]}
    done = office.apply(more)
    assert [each.login for each in done.invitations] == ["dr.late"]


def of(made: tuple[NewInvitation, ...], login: str) -> str:
    return next(each.code for each in made if each.login == login)


@pytest.mark.timeout(300)
def test_an_appliance_takes_the_second_code_and_not_the_first(
    new_office: Callable[..., Office], example_text: str
) -> None:
    """Also where the exchange was put back to an older copy, whose versions the appliance would not read."""
    text = example_text[: example_text.index("  salem:")]
    office = replace(new_office(driver="process"), community=parse(text))
    office.apply()
    enrolment = wait_until_ready(office.desk, office.community, 300)
    assert enrolment.ready
    (status,) = statuses_of(office.community, office.found())

    directory = office.found().view.published.directory
    assert directory is not None
    trust = trust_in(Certificate(directory.authority))

    def accepted(code: str, password: str) -> int:
        what = {"login": "dr.anbu", "code": code, "password": password}
        return httpx.post(f"{status.http}/api/invitations/accept", json=what, verify=trust, trust_env=False).status_code

    def let_in(password: str) -> int:
        what = {"login": "dr.anbu", "password": password}
        return httpx.post(f"{status.http}/api/session", json=what, verify=trust, trust_env=False).status_code

    page = httpx.get(f"{status.http}/login", verify=trust, trust_env=False).text
    assert "Ask your administrator for a new code" in page
    unused = of(enrolment.invitations, "dr.anbu")
    second = invite_again(office.desk, office.community, "erode", "dr.anbu").code
    until(lambda: health(office).settings == 2, "the settings with the second code")
    assert (accepted(unused, FIRST), accepted(second, FIRST), let_in(FIRST)) == (422, 204, 204)
    restored(office)
    third = invite_again(office.desk, office.community, "erode", "dr.anbu").code
    until(lambda: health(office).settings == 3, "the settings with the third code")
    assert let_in(FIRST) == 204, "until the new code is used"
    assert (accepted(second, SECOND), accepted(third, SECOND)) == (422, 204)
    assert (let_in(FIRST), let_in(SECOND)) == (401, 204)
