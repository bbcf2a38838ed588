"""OpenNebula's own backups of the appliances: one job, and what cannot be backed up is said before anything is done."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from provision.declaring.reading import parse
from provision.errors import Blocked, DeclarationError
from provision.kinds.backup_job import Schedule
from provision.planning.resource import Ref
from tests.provision.backing_up import BACKUP, backup_datastore
from tests.waiting import until

if TYPE_CHECKING:
    from tests.provision.conftest import Office


def job(office: Office) -> dict[str, str]:
    told = dict(office.found().view.ours("backup-job"))[""].attributes()
    return {name: told[name] for name in ("BACKUP_VMS", "DATASTORE_ID", "KEEP_LAST", "MODE", "FS_FREEZE")}


def test_appliances_are_backed_up_when_it_was_declared(office: Office, backed_up: str) -> None:
    datastore = backup_datastore(office)
    assert not office.apply(backed_up).after
    office.until_running()
    now = office.found()
    machines = ",".join(str(number) for number in sorted(vm.id for vm in now.view.appliances.values()))
    assert job(office) == {
        "BACKUP_VMS": machines, "DATASTORE_ID": str(datastore), "KEEP_LAST": "4", "MODE": "FULL", "FS_FREEZE": "AGENT",
    }  # fmt: skip
    spec = now.resources[Ref("backup-job")].spec
    assert [str(each) for each in spec.schedules] == ["mon thu at 02:30 UTC"]
    assert office.plan(backed_up).to_json() == []
    office.raw("backupjob.backup", now.resources[Ref("backup-job")].id)
    until(
        lambda: all(vm.ids("BACKUPS/BACKUP_IDS") for vm in office.found().view.appliances.values()), "a backup of each"
    )
    assert not office.plan(backed_up), "a backup counts in no quota of the branch"


def test_a_plan_with_a_schedule_to_ask_for_takes_twenty_calls_at_most(office: Office, backed_up: str) -> None:
    backup_datastore(office)
    office.apply(backed_up)
    office.desk.cloud.calls.clear()
    assert not office.plan(backed_up)
    assert office.desk.cloud.calls.total() <= 20


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        ("keep_last: 4", "keep_last: 9", ["keep_last"]),
        ("keep_last: 4", "keep_last: 4, freeze: suspend", ["freeze"]),
        ("'02:30'", "'03:00'", ["schedules"]),
        ("[mon, thu]", "[sun]", ["schedules"]),
        ("datastore: backups", "datastore: others", ["datastore"]),
    ],
)
def test_a_job_is_changed_in_place(office: Office, backed_up: str, old: str, new: str, fields: list[str]) -> None:
    backup_datastore(office)
    backup_datastore(office, "others")
    office.apply(backed_up)
    before = office.found().resources[Ref("backup-job")].id
    (step,) = office.plan(backed_up.replace(old, new))
    assert (step.action, [change.field for change in step.changes]) == ("update", fields)
    assert not office.apply(backed_up.replace(old, new)).after
    assert office.found().resources[Ref("backup-job")].id == before


def test_a_job_follows_the_branches_and_goes_when_it_is_no_longer_declared(
    office: Office, by_nfs: str, backed_up: str
) -> None:
    backup_datastore(office)
    start, end = backed_up.index("  karur:"), backed_up.index("backup:")
    fewer = backed_up[:start] + backed_up[end : backed_up.index("referrals:")]
    office.apply(fewer)
    office.until_running()
    assert len(job(office)["BACKUP_VMS"].split(",")) == 2
    assert not office.apply(backed_up).after
    assert len(job(office)["BACKUP_VMS"].split(",")) == 3
    assert not office.apply(fewer, allow=frozenset({"karur"})).after
    assert not office.apply(by_nfs).after
    assert not office.found().pools.nodes["backupjob"]


def test_drift_of_a_job_is_seen_and_undone(office: Office, backed_up: str) -> None:
    backup_datastore(office)
    office = replace(office, community=parse(backed_up))
    office.apply()
    number = office.found().resources[Ref("backup-job")].id
    office.raw("backupjob.update", number, 'KEEP_LAST="1"\nBACKUP_VMS="0"', 1)
    office.raw("backupjob.schedadd", number, f'SCHED_ACTION=[TIME="{int(time.time()) + 9000}",REPEAT="3",DAYS="5"]')
    (step,) = office.plan()
    assert sorted(change.field for change in step.changes) == ["keep_last", "schedules", "vms"]
    assert not office.apply().after


def test_a_vm_with_a_folder_of_its_host_cannot_be_backed_up(example_text: str) -> None:
    with pytest.raises(
        DeclarationError, match=r"line \d+, column 1: backup: OpenNebula cannot back up a VM with a vir"
    ):
        parse(example_text.replace("referrals:", BACKUP))
    with pytest.raises(DeclarationError, match=r"by NFS .*, or leave this out and keep snapshots"):
        parse(example_text.replace("referrals:", BACKUP))


def test_a_datastore_that_is_none_for_backups_is_refused(office: Office, backed_up: str) -> None:
    with pytest.raises(Blocked, match=r"there is no datastore 'backups'"):
        office.apply(backed_up)
    with pytest.raises(Blocked, match=r"datastore default is none for backups: name one whose TYPE is BACKUP_DS"):
        office.apply(backed_up.replace("datastore: backups", "datastore: default"))


def test_an_appliance_in_another_job_is_told(office: Office, by_nfs: str, backed_up: str) -> None:
    datastore = backup_datastore(office)
    office.apply(by_nfs)
    vm = office.found().view.appliances["erode"].id
    theirs = office.raw("backupjob.allocate", f'NAME="theirs"\nBACKUP_VMS="{vm}"\nDATASTORE_ID="{datastore}"')
    with pytest.raises(Blocked, match=rf"appliance of erode \(VM {vm}\) is in backup job {theirs} already"):
        office.apply(backed_up)


def test_an_exchange_by_nfs_needs_no_datastore_and_says_where_it_is(office: Office, by_nfs: str) -> None:
    assert not office.apply(by_nfs).after
    now = office.found()
    assert [node.name for node in now.pools.nodes["datastore"]] == ["system", "default", "files"]
    contexts = {name: vm.text("TEMPLATE/CONTEXT/GURNEY_EXCHANGE") for name, vm in now.view.appliances.items()}
    assert set(contexts.values()) == {"nfs://10.20.0.9/srv/exchange"}


def test_an_exchange_that_moves_to_nfs_makes_the_vms_anew_and_keeps_the_archives(
    office: Office, example_text: str, by_nfs: str
) -> None:
    office.apply(example_text)
    office.until_running()
    archives = {key: node.id for key, node in office.found().view.ours("archive")}
    the_plan = office.plan(by_nfs)
    assert not the_plan.losses
    assert not office.apply(by_nfs).after
    assert {key: node.id for key, node in office.found().view.ours("archive")} == archives


def test_the_next_time_is_the_first_that_comes() -> None:
    schedule = Schedule((1, 4), (2 * 60 + 30) * 60)  # Monday and Thursday, 02:30
    sunday = datetime(2026, 11, 22, 12, tzinfo=UTC)
    monday = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
    assert schedule.next(sunday) == monday.timestamp()
    assert schedule.next(monday) == datetime(2026, 11, 26, 2, 30, tzinfo=UTC).timestamp()
    only = Schedule((1,), schedule.second)
    assert only.next(monday) == datetime(2026, 11, 30, 2, 30, tzinfo=UTC).timestamp()
