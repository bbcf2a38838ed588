"""What a virtual machine is made of, for drivers whose guests are machines."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING

from emulator.drivers.driver import Card, Hardware
from emulator.objects import image_content
from emulator.objects.image import DATABLOCK, OS
from emulator.template import vectors, whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from emulator.cloud import Cloud
    from emulator.record import Record

DEFAULT_MASK = "255.255.255.0"


def hardware_of(cloud: Cloud, vm: Record) -> Hardware:
    """The hardware that a VM's template asks for."""
    disks = vectors(vm.template, "DISK")
    sizes = [whole(disk.get("SIZE"), 1) for disk in disks if holds_data(cloud, disk)]
    return Hardware(
        cpus=whole(vm.attribute("VCPU"), 0) or math.ceil(float(vm.attribute("CPU") or 1)),
        memory_mib=whole(vm.attribute("MEMORY"), 512),
        system=_system(cloud, disks),
        data_mib=tuple(sizes),
        cards=tuple(_cards(cloud, vm)),
        onegate=cloud.onegate if cloud.settings.onegate else "",
    )


def holds_data(cloud: Cloud, disk: dict[str, str]) -> bool:
    """Whether a disk is one for data: volatile, or a DATABLOCK."""
    image = cloud.store.get("image", whole(disk.get("IMAGE_ID")))
    return disk.get("TYPE") == "fs" or (image is not None and image.body["TYPE"] == DATABLOCK)


def _system(cloud: Cloud, disks: list[dict[str, str]]) -> Path | None:
    """The content of the first OS image; one that was made under another driver is taken into its datastore now."""
    images = (cloud.store.get("image", whole(disk.get("IMAGE_ID"))) for disk in disks)
    image = next((each for each in images if each is not None and each.body["TYPE"] == OS), None)
    if image is None or not image.body["PATH"] or not cloud.driver.boots_images:
        return None
    with suppress(OSError):  # the driver then says that the file is not there
        image_content.take(cloud, image)
    return image_content.place_of(cloud, image)


def _cards(cloud: Cloud, vm: Record) -> Iterator[Card]:
    for nic in vectors(vm.template, "NIC"):
        network = cloud.store.get("vn", whole(nic.get("NETWORK_ID")))
        mask = (network.attribute("NETWORK_MASK") if network else "") or DEFAULT_MASK
        if nic.get("IP") and nic.get("MAC"):
            yield Card(nic["MAC"], nic["IP"], f"{nic['IP']}/{mask}")
