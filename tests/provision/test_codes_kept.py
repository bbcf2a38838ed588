"""An invitation's code is shown whatever breaks off afterwards: nobody could ever read it again."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from exchange import settings as all_settings
from exchange.keys import BranchKeys
from provision.enrolling.enrolment import wait_until_ready
from provision.errors import CloudUnreachable
from tests.provision.reporting import report
from tests.waiting import until

if TYPE_CHECKING:
    from tests.provision.conftest import Office
    from tests.provision.shell import Shell


def stopped_once_published(office: Office) -> Thread:
    """The cloud goes away as soon as settings, with invitations' digests, are in the exchange."""

    def stop() -> None:
        until(lambda: list((office.exchange / "community" / "settings" / "erode").glob("*.age")))
        time.sleep(0.5)
        office.embedded.power.lose_front_end()  # stopped, it would leave its address to another test's cloud

    thread = Thread(target=stop, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("as_json", [True, False])
def test_codes_are_shown_though_the_cloud_goes_while_appliances_are_waited_for(shell: Shell, *, as_json: bool) -> None:
    office = shell.office
    office.apply()
    keys, community = BranchKeys.generate(), office.found().keys
    assert community is not None
    report(office, "erode", keys)
    stopping = stopped_once_published(office)
    code, out, err = shell.run("apply", "--yes", "--wait", "--timeout", "120", *(["--json"] if as_json else []))
    stopping.join()
    assert code == 4, err
    assert "does not answer" in err
    told = all_settings.latest(office.desk.store, "kongu", "erode", community.trusted, keys.seal).value
    accepting = {member.login: member.invitation for member in told.staff}
    if as_json:
        codes = {each["login"]: each["code"] for each in json.loads(out)["invitations"]}
        assert codes.keys() == accepting.keys()
    else:
        lines = [line.split() for line in out.splitlines() if line.strip().startswith("erode")]
        codes = {words[1]: words[3] for words in lines}
    for login, invitation in accepting.items():
        assert invitation is not None
        assert invitation.accepts(codes[login], datetime.now(UTC)), login


def test_who_uses_the_library_finds_them_at_the_desk(office: Office) -> None:
    office.apply()
    report(office, "erode", BranchKeys.generate())
    stopping = stopped_once_published(office)
    with pytest.raises(CloudUnreachable):
        wait_until_ready(office.desk, office.community, 120)
    stopping.join()
    assert {each.login for each in office.desk.invitations} == {"dr.anbu", "r.devi"}
