"""Whatever is called in whatever order: what is counted is what is there, and the state on disk is the state."""

from __future__ import annotations

import json
import logging
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pyone import bindings

from emulator.clock import WoundClock
from emulator.cloud import Cloud
from emulator.objects.image import whole_size
from emulator.objects.network import ranges
from emulator.objects.vm import capacity
from emulator.objects.vm_flow import charged
from emulator.settings import Probe, Settings
from emulator.store import Store
from emulator.template import is_yes, vectors
from tests.emulator.random_calls import RandomCalls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulator.record import Record

STEPS = 2500
ON_HOST = {3, 5, 8}  # ACTIVE, SUSPENDED, POWEROFF
DONE = 6


@pytest.fixture(params=[1, 2, 3])
def calls(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Cloud, RandomCalls]]:
    """A small cloud, in which room runs short, and calls to it."""
    probe = Probe(cpu=400, memory_kib=1024 * 1024)
    settings = Settings(state=tmp_path / "cloud", driver="none", port=0, hosts=("a", "b"), probe=probe)
    with Cloud(settings, WoundClock()) as cloud:
        yield cloud, RandomCalls(cloud, request.param)


def test_what_is_counted_is_there(calls: tuple[Cloud, RandomCalls], caplog: pytest.LogCaptureFixture) -> None:
    """No call and no event ends in a fault of the cloud's own, every document can be read, and everything adds up."""
    cloud, made = calls
    kinds: Counter[str] = Counter()
    for number in range(STEPS):
        reply = made.step()
        kinds[str(reply[2] if len(reply) == 5 else len(reply))] += 1
        if len(reply) == 3 and str(reply[1]).startswith("<"):
            bindings.parseString(reply[1].encode(), silence=True)
        if number % 100 == 0 or number == STEPS - 1:
            check(cloud)
    assert kinds["3"] > STEPS / 10, kinds  # enough of them did something
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def check(cloud: Cloud) -> None:
    machines = [vm for vm in cloud.store.all("vm") if vm.state != DONE]
    for host in cloud.store.all("host"):
        check_host(host, [vm for vm in machines if is_on(vm, host)])
    check_leases(cloud, machines)
    check_images(cloud, machines)
    check_quotas(cloud, machines)
    check_disk(cloud)


def is_on(vm: Record, host: Record) -> bool:
    history = vm.body["HISTORY_RECORDS"].get("HISTORY", [])
    return bool(history) and vm.state in ON_HOST and history[-1]["HID"] == host.oid


def check_host(host: Record, machines: list[Record]) -> None:
    """A host counts the machines that are on it, no more, no less, and holds no more than it has."""
    share = host.body["HOST_SHARE"]
    assert host.body["VMS"].get("ID", []) == [vm.oid for vm in machines]
    assert share["RUNNING_VMS"] == len(machines)
    assert share["CPU_USAGE"] == sum(round(capacity(vm.template)[0] * 100) for vm in machines)
    assert share["MEM_USAGE"] == sum(capacity(vm.template)[1] * 1024 for vm in machines)


def check_leases(cloud: Cloud, machines: list[Record]) -> None:
    """Each machine's address is leased to it, and to it alone; nothing is leased to what is gone."""
    held = Counter()
    for network in cloud.store.all("vn"):
        for one in ranges(network):
            held.update(("VM", one_["VM"]) for one_ in one["leases"].values() if one_.get("VM", -1) >= 0)
    wanted = Counter(
        ("VM", vm.oid)
        for vm in machines
        for nic in vectors(vm.template, "NIC") + vectors(vm.template, "NIC_ALIAS")
        if "NETWORK_ID" in nic and not is_yes(nic.get("FLOATING_ONLY"))
    )
    assert held == wanted


def check_images(cloud: Cloud, machines: list[Record]) -> None:
    """An image knows its machines."""
    users: dict[int, set[int]] = {}
    for vm in machines:
        for disk in vectors(vm.template, "DISK"):
            if "IMAGE_ID" in disk:
                users.setdefault(int(disk["IMAGE_ID"]), set()).add(vm.oid)
    for image in cloud.store.all("image"):
        if image.body["TYPE"] != 6:  # a backup is its machine's for ever
            assert set(image.body["VMS"].get("ID", [])) == users.get(image.oid, set()), image.oid


def check_quotas(cloud: Cloud, machines: list[Record]) -> None:
    """Every user and group is counted what its objects use."""
    for kind, owner in (("user", "UID"), ("group", "GID")):
        used: dict[int, Counter[tuple[str, str, str]]] = {}
        for vm in machines:
            counted = used.setdefault(vm.body[owner], Counter())
            for usage in charged(vm):
                for metric, amount in usage.amounts.items():
                    counted[usage.section, usage.key, metric] += amount
                    counted["VM in cluster", str(vm.hidden.get("cluster")), metric] += (usage.section == "VM") * amount
        for image in cloud.store.all("image"):
            place = str(image.body["DATASTORE_ID"])
            counted = used.setdefault(image.body[owner], Counter())
            counted["DATASTORE", place, "IMAGES"] += 1
            counted["DATASTORE", place, "SIZE"] += size_with_snapshots(image, machines)
        for record in cloud.store.all(kind):
            if record.oid:
                check_used(record, used.get(record.oid, Counter()))


def size_with_snapshots(image: Record, machines: list[Record]) -> int:
    """As long as a machine has a persistent image, its snapshots are the machine's."""
    for vm in machines:
        for disk in vectors(vm.template, "DISK"):
            if disk.get("IMAGE_ID") == str(image.oid) and is_yes(disk.get("PERSISTENT")):
                return int(image.body["SIZE"]) + int(disk["DISK_SNAPSHOT_TOTAL_SIZE"])
    return whole_size(image)


def check_used(record: Record, used: Counter[tuple[str, str, str]]) -> None:
    for section, elements in record.hidden.get("quotas", {}).items():
        for element in (one for one in elements if section != "NETWORK"):
            for name, told in element.items():
                if name.endswith("_USED"):
                    amount = sum(used[key] for key in keys_of(section, element, name.removesuffix("_USED")))
                    assert float(told) == pytest.approx(amount, abs=0.02), (record.kind, record.oid, element, name)


def keys_of(section: str, element: dict[str, str], metric: str) -> list[tuple[str, str, str]]:
    """Under what is counted what an element of a quota counts."""
    clusters = element.get("CLUSTER_IDS")
    if clusters:
        return [("VM in cluster", cluster, metric) for cluster in clusters.split(",")]
    return [(section, element.get("ID", ""), metric)]


def check_disk(cloud: Cloud) -> None:
    """Another process that read the file now would find the same."""
    state = cloud.settings.state
    copy = state.parent / "copy.sqlite"
    with cloud.store.lock:
        for suffix in ("", "-wal"):
            shutil.copyfile(state / f"state.sqlite{suffix}", f"{copy}{suffix}")
        with closing(sqlite3.connect(copy)) as rows:
            kinds = [kind for (kind,) in rows.execute("SELECT DISTINCT kind FROM object ORDER BY kind")]
        with closing(Store(copy)) as found:
            assert everything(found, kinds) == everything(cloud.store, kinds)


def everything(store: Store, kinds: list[str]) -> dict[str, Any]:
    return {
        kind: json.loads(json.dumps([(one.oid, one.body, one.hidden) for one in store.all(kind)])) for kind in kinds
    }
