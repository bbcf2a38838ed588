"""When a host dies: the hook that starts its VMs elsewhere, and where that cannot be, it is said beforehand."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from emulator.settings import Pace
from provision.declaring.reading import parse
from provision.errors import Blocked
from provision.planning.apart import runs_on
from tests.provision.hosts import STAND_IN, share, two_hosts
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.provision.conftest import Office


@pytest.fixture
def pair(new_office: Callable[..., Office]) -> Office:
    """A cloud of two hosts that share their datastores."""
    return two_hosts(new_office)


def test_the_hook_is_made_kept_and_taken_away(pair: Office, restart_text: str) -> None:
    pair = replace(pair, community=parse(restart_text))
    assert not pair.apply().after
    (hook,) = pair.found().pools.nodes["hook"]
    told = hook.attributes()
    assert (hook.name, hook.text("TYPE")) == ("kongu.host-failure", "state")
    assert {name: value for name, value in told.items() if not name.startswith("GURNEY")} == {
        "RESOURCE": "HOST", "STATE": "ERROR", "COMMAND": "ft/host_error.rb", "ARGUMENTS": "$TEMPLATE -m -p 5",
        "ARGUMENTS_STDIN": "YES", "REMOTE": "NO",
    }  # fmt: skip
    pair.raw("hook.update", hook.id, 'ARGUMENTS="$TEMPLATE -d"', 1)
    (step,) = pair.plan()
    assert (step.kind, [change.field for change in step.changes]) == ("host-hook", ["arguments"])
    assert not pair.apply().after
    assert not pair.apply(restart_text.replace("restart", "none")).after
    assert not pair.found().pools.nodes["hook"]


def test_appliances_of_a_dead_host_start_again_on_another(
    new_office: Callable[..., Office], restart_text: str, tmp_path: Path
) -> None:
    folder = tmp_path / "hooks" / "ft"
    folder.mkdir(parents=True)
    script = folder / "host_error.rb"
    script.write_text(STAND_IN.format(python=sys.executable))
    script.chmod(0o755)
    pace = Pace(power_s=0.02, host_s=0.02, schedule_s=0.02, retry_placement_s=0.2)
    office = two_hosts(new_office, hooks=tmp_path / "hooks", pace=pace)
    office.apply(restart_text)
    office.until_running()
    dead = runs_on(office.found(), "erode")
    office.embedded.power.cut(dead)

    def hosts() -> set[str]:
        return {runs_on(office.found(), name) for name in ("erode", "salem", "karur")}

    until(lambda: hosts() == {"one", "two"} - {dead}, "the other host for each")
    office.until_running()
    assert not office.plan(restart_text), "an appliance that moved is no drift"


def test_a_datastore_that_is_not_shared_is_refused(pair: Office, restart_text: str) -> None:
    with pytest.raises(Blocked, match=r"another host from datastore system \(TM_MAD local\), which hosts do not share"):
        pair.apply(restart_text.replace("{images: images, system: shared}", "{images: default, system: system}"))
    assert not pair.found().view.groups


def test_a_single_host_is_refused(office: Office, restart_text: str) -> None:
    share(office)
    with pytest.raises(Blocked, match="cluster default has no other host to start a VM on"):
        office.apply(restart_text)


def test_two_hooks_for_one_failure_are_refused(pair: Office, restart_text: str) -> None:
    text = 'NAME="theirs"\nTYPE="state"\nRESOURCE="HOST"\nSTATE="ERROR"\nCOMMAND="ft/host_error.rb"'
    theirs = pair.raw("hook.allocate", text)
    with pytest.raises(Blocked, match=rf"hook theirs \(id {theirs}\) acts when a host fails already, and two would"):
        pair.apply(restart_text)
    pair.raw("hook.delete", theirs)
    assert not pair.apply(restart_text).after


def test_what_the_hook_needs_of_the_hosts_is_told(pair: Office, restart_text: str) -> None:
    told = pair.plan(restart_text).conditions
    assert any("acts for every VM of a failed host" in words for words in told)
    assert any(words.startswith("Hosts without FENCE_IP: one, two.") for words in told)
    for node in pair.found().pools.nodes["host"]:
        pair.raw("host.update", node.id, 'FENCE_IP="10.0.0.9"', 1)
    assert not any("FENCE_IP" in words for words in pair.plan(restart_text).conditions)
