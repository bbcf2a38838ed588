"""What stands behind a running virtual machine: its folder on the host, and the driver's guest."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from emulator.drivers.driver import Guest, Mount
from emulator.objects import vm_hardware, vm_history
from emulator.objects.front_end_files import host_path
from emulator.objects.vm_context import context_file
from emulator.objects.vm_state import ACTIVE, BOOTING, WITH_GUEST
from emulator.template import is_yes, vectors

if TYPE_CHECKING:
    from pathlib import Path

    from emulator.cloud import Cloud
    from emulator.record import Record

GONE = "gone"  # in what a machine keeps to itself: its host lost power, so its guest is no more


def folder(cloud: Cloud, vm: Record) -> Path:
    """Where a virtual machine lies on the host."""
    return cloud.settings.state / "vms" / str(vm.oid)


def guest_of(cloud: Cloud, vm: Record) -> Guest:
    """A virtual machine as its driver sees it."""
    place = folder(cloud, vm)
    mounts = []
    data = []
    for disk in vectors(vm.template, "DISK"):
        path = disk_path(cloud, vm, disk)
        if disk.get("TYPE") == "FILESYSTEM":
            tag = disk.get("MOUNT_TAG") or f"disk{disk['DISK_ID']}"
            mounts.append(Mount(tag, path, read_only=is_yes(disk.get("READONLY"))))
        elif vm_hardware.holds_data(cloud, disk):
            data.append(path)
    hardware = vm_hardware.hardware_of(cloud, vm)
    return Guest(vm.oid, vm.name, place, cloud.place.vm_address(vm.oid), tuple(data), tuple(mounts), hardware)


def disk_path(cloud: Cloud, vm: Record, disk: dict[str, str]) -> Path:
    """Where a disk lies: a persistent one is its image, a shared file system the host's folder."""
    if disk.get("TYPE") == "FILESYSTEM":
        return host_path(cloud, disk["SOURCE"])
    if is_yes(disk.get("PERSISTENT")):
        return cloud.settings.state / "datastores" / disk["DATASTORE_ID"] / disk["IMAGE_ID"]
    return folder(cloud, vm) / f"disk.{disk['DISK_ID']}"


def start(cloud: Cloud, vm: Record) -> None:
    """Start the guest, with what its CONTEXT says on the CONTEXT disc."""
    guest = guest_of(cloud, vm)
    if cloud.driver.needs_folder:
        _write_context(guest.folder / "context", vm, cloud.onegate)
        for path in guest.data:
            path.mkdir(parents=True, exist_ok=True)
        _link_persistent_disks(cloud, vm)
    cloud.driver.start(guest)


def change(cloud: Cloud, vm: Record) -> None:
    """Let a guest that is there see its context and its disks as they are now."""
    if cloud.driver.is_there(vm.oid):
        guest = guest_of(cloud, vm)
        _write_context(guest.folder / "context", vm, cloud.onegate)
        cloud.driver.changed(guest)


def _link_persistent_disks(cloud: Cloud, vm: Record) -> None:
    """In the VM's folder a persistent disk is a link to its image, as a shared datastore has it."""
    for disk in vectors(vm.template, "DISK"):
        link = folder(cloud, vm) / f"disk.{disk['DISK_ID']}"
        if is_yes(disk.get("PERSISTENT")) and not link.is_symlink():
            link.symlink_to(disk_path(cloud, vm, disk))


def _write_context(place: Path, vm: Record, onegate: str) -> None:
    """Write the CONTEXT disc; OneGate may be elsewhere than when the machine was made."""
    place.mkdir(parents=True, exist_ok=True)
    place.parent.chmod(0o700)
    for context in vectors(vm.template, "CONTEXT"):
        present = {"ONEGATE_ENDPOINT": onegate} if "ONEGATE_ENDPOINT" in context else {}
        _write(place / "context.sh", context_file({**context, **present}))
    if vm.hidden.get("token"):
        _write(place / "token.txt", vm.hidden["token"])


def _write(path: Path, text: str) -> None:
    """Write a file at once: a driver may read it just now."""
    fresh = path.with_name(f".{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def stop(cloud: Cloud, vm: Record, *, hard: bool) -> None:
    """Tell the guest to stop."""
    cloud.driver.stop(vm.oid, hard=hard)


def is_there(cloud: Cloud, vm: Record) -> bool:
    """Whether the guest is still there."""
    return cloud.driver.is_there(vm.oid)


def deploy_id(cloud: Cloud, vm: Record) -> str:
    """DEPLOY_ID of a virtual machine that runs."""
    return cloud.driver.deploy_id(vm.oid, vm.name, str(vm_history.last(vm)["HOSTNAME"]))


def report(cloud: Cloud, vm: Record) -> None:
    """Tell a running guest's address, as a guest agent would."""
    if cloud.driver.needs_folder:
        address = cloud.place.vm_address(vm.oid)
        cloud.store.edit(vm).body["MONITORING"] = {"GUEST_IP": address, "GUEST_IP_ADDRESSES": address}


def is_starting(cloud: Cloud, vm: Record) -> bool:
    """Whether it is not known yet that the guest runs."""
    return cloud.driver.is_starting(vm.oid)


def failure(cloud: Cloud, vm: Record) -> str:
    """Why the guest could not be started."""
    return cloud.driver.failure(vm.oid)


def has_ended(cloud: Cloud, vm: Record) -> bool:
    """Whether a running guest has shut itself down."""
    return cloud.driver.ends_by_itself and not cloud.driver.is_there(vm.oid)


def forget(cloud: Cloud, vm: Record) -> None:
    """A guest that stopped reports nothing."""
    cloud.store.edit(vm).body["MONITORING"] = {}


def remove_folder(cloud: Cloud, vm: Record) -> None:
    """Remove what a virtual machine had on the host; persistent images stay."""
    shutil.rmtree(folder(cloud, vm), ignore_errors=True)


def resume_guests(cloud: Cloud) -> None:
    """Start the guests of all virtual machines that ran, or booted, when the cloud was stopped."""
    for vm in cloud.store.all("vm"):
        state = vm.body["LCM_STATE"]
        if vm.state != ACTIVE or (vm.hidden.get(GONE) and state not in BOOTING):  # who boots anew is gone until he has
            continue
        if state in BOOTING | WITH_GUEST:
            start(cloud, vm)
        if state in WITH_GUEST:
            report(cloud, vm)
