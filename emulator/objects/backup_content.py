"""What a backup holds: the content of a machine's disks as it was, and what the machine was.

References: OpenNebula src/tm_mad/lib/backup.rb, src/datastore_mad/remotes/rsync.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.objects.front_end_files import image_folder
from emulator.objects.vm_guest import disk_path
from emulator.template import copied, vectors

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.record import Body, Record

MACHINE = "machine"  # where a backup keeps what the machine was


def keep(cloud: Cloud, vm: Record, image: Record) -> None:
    """Copy a machine's disks into a backup, as they are now."""
    image.hidden[MACHINE] = {
        "name": vm.name,
        "template": copied(vm.template),
        "user": copied(vm.body["USER_TEMPLATE"]),
    }
    for disk in kept_disks(vm.template):
        _copy(disk_path(cloud, vm, disk), content(cloud, image, disk["DISK_ID"]))


def kept_disks(template: Body) -> list[dict[str, str]]:
    """The disks of a machine that a backup holds: those made of images."""
    return [disk for disk in vectors(template, "DISK") if "IMAGE_ID" in disk and disk.get("TYPE") != "CDROM"]


def content(cloud: Cloud, image: Record, disk_id: str) -> Path:
    """Where a backup keeps a disk."""
    return image_folder(cloud, image) / f"disk.{disk_id}"


def bring_back(cloud: Cloud, vm: Record, image: Record, disk_id: int) -> None:
    """Let a machine's disks, or one of them, be as they were in a backup."""
    for disk in kept_disks(vm.template):
        if disk_id in {-1, int(disk["DISK_ID"])}:
            _copy(content(cloud, image, disk["DISK_ID"]), disk_path(cloud, vm, disk))


def _copy(source: Path, target: Path) -> None:
    """Replace a file or a folder with a copy of another; where there is none, nothing is changed."""
    if not source.exists():
        return
    if target.is_dir():
        shutil.rmtree(target)
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, ignore=_special, copy_function=_copy_file)
    else:
        shutil.copy2(source, target)


def copy_into(source: Path, folder: Path) -> None:
    """Let a new image's folder hold a copy."""
    _copy(source, folder)


def _special(folder: str, names: list[str]) -> list[str]:
    """Sockets and the like are of a machine that runs."""
    places = [(name, Path(folder, name)) for name in names]
    return [name for name, place in places if not (place.is_symlink() or place.is_dir() or place.is_file())]


def _copy_file(source: str, target: str) -> str:
    with contextlib.suppress(FileNotFoundError):  # a guest that runs may have removed it meanwhile
        shutil.copy2(source, target)
    return target
