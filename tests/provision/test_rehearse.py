"""What is said of a host, a front end and an archive that are lost, and whether it comes as it is said."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import exit_of
from emulator.settings import Pace
from provision.declaring.reading import parse
from provision.fleet.glance import fleet
from provision.fleet.rehearsal import Scene, scenes
from provision.kinds.ending import RECOVER_DELETE
from provision.planning.plan import plan
from provision.vm_state import host_of
from tests.provision.backing_up import backup_datastore
from tests.provision.hosts import STAND_IN, two_hosts
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.provision.conftest import Office

QUICK = Pace(power_s=0.02, host_s=0.02, schedule_s=0.02, retry_placement_s=0.2)


def told(office: Office, now: datetime | None = None) -> dict[tuple[str, str], Scene]:
    return {(scene.event, scene.name): scene for scene in scenes(office.found(), now)}


def test_without_a_hook_and_shared_storage_a_dead_host_is_said_to_stay_dead(office: Office) -> None:
    office.apply()
    office.until_running()
    scene = told(office)["host", "embedded"]
    assert scene.branches == ("erode", "karur", "salem")
    assert (scene.rpo_s, scene.rto_s) == (None, None)
    words, advice = " ".join(scene.course), " ".join(scene.advice)
    assert "Datastore system is not shared" in words
    assert "on_host_failure: restart" in advice
    assert "no other host of the cluster has enough" in advice


def office_with_hook(new_office: Callable[..., Office], text: str, folder: Path) -> Office:
    import sys

    (folder / "ft").mkdir(parents=True)
    script = folder / "ft" / "host_error.rb"
    script.write_text(STAND_IN.format(python=sys.executable))
    script.chmod(0o755)
    office = replace(two_hosts(new_office, hooks=folder, pace=QUICK), community=parse(text))
    for host in office.found().pools.nodes["host"]:
        office.raw("host.update", host.id, 'FENCE_IP="10.0.0.9"', 1)
    office.apply()
    office.until_running()
    return office


def test_with_them_it_is_said_to_come_back_by_itself(pair_running: Office) -> None:
    of_hosts = {name: scene for (event, name), scene in told(pair_running).items() if event == "host"}
    assert of_hosts
    for name, scene in of_hosts.items():
        assert scene.rpo_s == 0, name
        assert scene.rto_s is not None
        assert "another host" in " ".join(scene.course)


@pytest.fixture
def pair_running(new_office: Callable[..., Office], restart_text: str, tmp_path: Path) -> Office:
    return office_with_hook(new_office, restart_text, tmp_path / "hooks")


def test_a_host_without_room_is_no_help(pair_running: Office) -> None:
    dead = next(name for (event, name) in told(pair_running) if event == "host")
    other = next(node for node in pair_running.found().pools.nodes["host"] if node.name != dead)
    pair_running.raw("host.status", other.id, 1)
    scene = told(pair_running)["host", dead]
    assert scene.rto_s is None
    assert any("no other host" in words for words in scene.advice)


def test_without_a_fence_the_hook_gives_up(pair_running: Office) -> None:
    dead = next(name for (event, name) in told(pair_running) if event == "host")
    host = pair_running.found().pools.named("host", dead)
    assert host is not None
    pair_running.raw("host.update", host.id, 'FENCE_IP=""', 1)
    scene = told(pair_running)["host", dead]
    assert scene.rto_s is None
    assert "started by hand" in " ".join(scene.course)
    assert any(f"Set FENCE_IP on host {dead}" in words for words in scene.advice)


def test_a_host_of_one_from_whom_it_is_kept_apart_is_no_room(
    new_office: Callable[..., Office],
    restart_text: str,
    tmp_path: Path,
) -> None:
    text = restart_text.replace("referrals:", "apart: [[erode, salem]]\nreferrals:")
    office = office_with_hook(new_office, text, tmp_path / "hooks")
    scenes_of_hosts = [scene for (event, _), scene in told(office).items() if event == "host"]
    assert len(scenes_of_hosts) == 2
    for scene in scenes_of_hosts:
        assert scene.rto_s is None, scene
        assert any("kept apart" in words for words in scene.advice)


def test_the_front_end_takes_nothing_with_it(office: Office) -> None:
    office.apply()
    scene = next(scene for (event, _), scene in told(office).items() if event == "front-end")
    assert (scene.branches, scene.rpo_s, scene.rto_s) == ((), 0, None)
    assert "recovery secret" in " ".join(scene.course)


def test_an_archive_is_as_good_as_its_last_backup(office: Office, backed_up: str) -> None:
    backup_datastore(office)
    office = replace(office, community=parse(backed_up))
    office.apply()
    office.until_running()
    scene = told(office)["archive", "erode"]
    assert scene.rpo_s is None
    assert "All that erode ever received is lost" in scene.course[0]
    vm = office.found().view.appliances["erode"].id
    office.raw("vm.backup", vm, office.found().pools.named("datastore", "backups").id, False)  # type: ignore[union-attr]
    until(lambda: office.found().view.appliances["erode"].ids("BACKUPS/BACKUP_IDS"), "the backup")
    scene = told(office, datetime.now(UTC) + timedelta(hours=5))["archive", "erode"]
    assert scene.rpo_s == pytest.approx(5 * 3600, abs=120)
    assert scene.rto_s is not None
    assert f"onevm restore {vm} " in scene.course[1]
    now = office.found()
    lines = {line.status.name: line.last_backup for line in fleet(office.community, now, plan(office.community, now))}
    assert lines["salem"] is None
    assert lines["erode"] is not None
    assert abs((lines["erode"].made - datetime.now(UTC)).total_seconds()) < 120
    assert told(office)["archive", "salem"].rpo_s is None
    office.raw("vm.recover", vm, RECOVER_DELETE)
    until(lambda: "erode" not in office.found().view.appliances, "the end of the VM")
    office.apply()
    scene = told(office, datetime.now(UTC) + timedelta(hours=5))["archive", "erode"]
    assert office.found().view.appliances["erode"].id != vm
    assert scene.rpo_s == pytest.approx(5 * 3600, abs=120), "what was kept of the former VM is still there"
    assert scene.rto_s is None
    assert f"`oneimage restore {lines['erode'].image} " in scene.course[1]
    assert told(office)["archive", "salem"].rpo_s is None


@pytest.fixture
def rehearse(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    def run(office: Office, *arguments: str) -> tuple[int, str, str]:
        office.enter(monkeypatch)
        file = office.folder / "community.yaml"
        capsys.readouterr()
        code = exit_of(["rehearse", "-f", str(file), "--exchange", str(office.exchange), *arguments])
        return code or 0, *capsys.readouterr()

    return run


Run = Any


def test_it_is_told_to_people_and_to_programs(office: Office, example_text: str, rehearse: Run) -> None:
    (office.folder / "community.yaml").write_text(example_text)
    office.apply()
    office.until_running()
    code, out, _ = rehearse(office)
    assert code == 0
    for heading in ("Host embedded dies", "The front end is lost", "The archive of karur is lost"):
        assert heading in out
    assert "lost (RPO): all; back (RTO): when people have repaired it" in out
    scenes_told = json.loads(rehearse(office, "--json")[1])["scenes"]
    assert [scene["event"] for scene in scenes_told] == ["host", "front-end", "archive", "archive", "archive"]


def test_a_host_is_played_and_comes_as_it_was_said(pair_running: Office, restart_text: str, rehearse: Run) -> None:
    office = pair_running
    (office.folder / "community.yaml").write_text(restart_text)
    dead = host_of(office.found().view.appliances["erode"])
    state = str(office.folder / "state")
    code, out, err = rehearse(office, "--play", f"host={dead}", "--state", state, "--yes", "--json")
    assert code == 0, err
    played = json.loads(out)["played"]
    assert played["back"], played
    assert dead not in played["hosts"].values()
    assert json.loads(out)["said"]["rto_s"] is not None
    assert not office.plan()


def test_a_host_without_a_hook_is_played_and_its_appliances_started_by_hand(
    office: Office, example_text: str, rehearse: Run
) -> None:
    (office.folder / "community.yaml").write_text(example_text)
    office.apply()
    office.until_running()
    options = ("--state", str(office.folder / "state"), "--yes", "--json", "--patience", "3")
    code, out, err = rehearse(office, "--play", "host=embedded", *options)
    assert code == 0, err
    assert not json.loads(out)["played"]["back"]
    office.until_running()
    assert not office.plan()


def test_an_archive_is_played(office: Office, example_text: str, rehearse: Run) -> None:
    (office.folder / "community.yaml").write_text(example_text)
    office.apply()
    office.until_running()
    before = office.found().resources
    code, out, err = rehearse(office, "--play", "archive=salem", "--state", str(office.folder / "state"), "--yes")
    assert code == 0, err
    assert "salem has an empty archive and an appliance again" in out
    changed = {ref.kind for ref, each in office.found().resources.items() if each.id != before[ref].id}
    assert changed == {"archive", "appliance"}
    assert not office.plan()


def test_what_is_no_embedded_cloud_is_not_played_with(
    office: Office, new_office: Callable[..., Office], example_text: str, rehearse: Run
) -> None:
    (office.folder / "community.yaml").write_text(example_text)
    office.apply()
    office.until_running()
    other = new_office("other")
    code, _, err = rehearse(office, "--play", "host=embedded", "--state", str(other.folder / "state"), "--yes")
    assert (code, "nothing is played there" in err) == (2, True)
    code, _, err = rehearse(office, "--play", "host=none", "--state", str(office.folder / "state"), "--yes")
    assert code == 2
    assert "these can: host=embedded" in err
    assert not office.plan()
