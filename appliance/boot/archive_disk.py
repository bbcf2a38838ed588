"""The archive's disk: found, formatted once and only if empty, grown, mounted, and this branch's."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from appliance.boot.context_disc import service_group
from appliance.boot.devices import devices, root_device
from appliance.boot.machine import DISK_TIMEOUT_S, Trouble, attempt, last_line, run, write
from appliance.boot.volume import Kind, Volume, description, look, make_archive
from appliance.disk import flush

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from appliance.boot.machine import Machine

STATE = "/var/lib/gurney"
OPTIONS = "rw,nosuid,nodev,noexec,noatime"
#: Folders on the disk: mode, and whether they are the service's or root's.
FOLDERS = {
    "archive": (0o750, True),
    "ssh": (0o700, False),
    "samba": (0o700, False),
    "samba/private": (0o700, False),
    "samba/state": (0o700, False),
}
#: Made before Samba starts, which is let see these of the archive's folders and no other.
SEEN_BY_SAMBA = {"archive/shared": 0o755, "archive/inbox": 0o700}
#: Says whose archive this is.
OWNER = "branch"
WAIT_S, PAUSE_S = 5.0, 0.2
WORTH_GROWING = 16 * 1024 * 1024
CHECKED = 1
"""e2fsck: 0 clean, 1 mended; from 2 on a person has to decide."""


def mount_archive(machine: Machine, variables: Mapping[str, str]) -> Path:
    """
    Mount the archive's disk, making it what it must be before; one that is mounted may have got another context.

    Returns
    -------
    Path
        Where it is mounted.

    Raises
    ------
    Trouble
        There is no such disk, it is another branch's, or it is damaged; the words say which.
    """
    point = machine.path(STATE)
    if os.path.ismount(point):
        return _still_ours(point, variables)
    owner_in(variables)  # before any disk is touched
    volume = find_archive(machine)
    if volume.kind is not Kind.OURS:
        machine.say(f"{volume.path.name}: {volume.kind.value}, {gigabytes(volume.size)}: is formatted as the archive")
        volume = make_archive(volume)
    _check(volume)
    run("mount", "-t", "ext4", "-o", OPTIONS, str(volume.path), str(point), timeout_s=DISK_TIMEOUT_S)
    try:
        claim(point, variables)
    except Trouble:
        run("umount", str(point))
        raise
    _make_folders(point)
    return point


def find_archive(machine: Machine) -> Volume:
    """
    The archive among the disks; else the one that was cut off while it was formatted; else the first empty one.

    Raises
    ------
    Trouble
        There is none, or more than one archive: which one is meant is not for us to guess.
    """
    end = time.monotonic() + WAIT_S
    while True:
        volumes = data_volumes(machine)
        chosen = choose(volumes)
        if chosen is not None:
            return chosen
        if time.monotonic() >= end:
            raise Trouble(_nothing_fits(volumes))
        time.sleep(PAUSE_S)


def choose(volumes: Sequence[Volume]) -> Volume | None:
    """
    The archive among these; None where none can be it.

    Raises
    ------
    Trouble
        More than one is.
    """
    for kind in (Kind.OURS, Kind.UNFINISHED, Kind.EMPTY):
        fitting = [volume for volume in volumes if volume.kind is kind]
        if len(fitting) > 1 and kind is not Kind.EMPTY:
            names = ", ".join(volume.path.name for volume in fitting)
            raise Trouble(f"more than one disk is an archive ({names}): detach all but the right one")
        if fitting:
            return fitting[0]
    return None


def data_volumes(machine: Machine) -> list[Volume]:
    """Every disk that can be written, but for the one that the machine runs from."""
    own = root_device(machine)
    fitting = [d for d in devices(machine) if d.size and not (d.optical or d.read_only or d.name == own)]
    return [look(device.path) for device in fitting]


def grow(machine: Machine) -> bool:
    """Let a mounted archive use all of its disk; True where it has grown."""
    point = machine.path(STATE)
    volume = next((each for each in data_volumes(machine) if each.kind is Kind.OURS), None)
    if volume is None or not os.path.ismount(point) or volume.size - volume.used < WORTH_GROWING:
        return False
    machine.say(f"the archive's disk has grown from {gigabytes(volume.used)} to {gigabytes(volume.size)}")
    run("resize2fs", str(volume.path), timeout_s=DISK_TIMEOUT_S)
    return True


def claim(point: Path, variables: Mapping[str, str]) -> None:
    """
    Note on a new archive whose it is, and refuse one that is another branch's.

    Raises
    ------
    Trouble
        It is another's: patients of one hospital must not appear in the next.
    """
    own, note = owner_in(variables), point / OWNER
    if not note.is_file():
        write(note, f"{own}\n")
        flush(note, point)
    elif note.read_text().strip() != own:
        raise Trouble(f"the archive belongs to {note.read_text().strip()}, this VM is {own}: it is not opened")


def owner_in(variables: Mapping[str, str]) -> str:
    """
    Whose archive a context names, as COMMUNITY/BRANCH.

    Raises
    ------
    Trouble
        Nobody's.
    """
    names = [variables.get(f"GURNEY_{what}", "").strip() for what in ("COMMUNITY", "BRANCH")]
    if not all(names):
        raise Trouble("the context does not say whose archive this is: it is not opened")
    return "/".join(names)


def gigabytes(size: int) -> str:
    """A size for people."""
    return f"{size / 1024**3:.1f} GiB"


def _still_ours(point: Path, variables: Mapping[str, str]) -> Path:
    """An archive that was claimed when it was mounted; what can rewrite a VM's context need not be its owner."""
    if not (point / OWNER).is_file():
        raise Trouble("the archive does not say any more whose it is: it is not opened")
    claim(point, variables)
    return point


def _check(volume: Volume) -> None:
    done = attempt(["e2fsck", "-p", str(volume.path)], timeout_s=DISK_TIMEOUT_S)
    if done.returncode > CHECKED:
        words = last_line(done.stderr or done.stdout)
        raise Trouble(f"the archive on {volume.path.name} is damaged and is not opened: {words}: run e2fsck by hand")


def _make_folders(point: Path) -> None:
    group = service_group()
    for name, (mode, for_service) in FOLDERS.items():
        folder = point / name
        folder.mkdir(mode=mode, exist_ok=True)
        if for_service and group and folder.stat().st_uid != group:
            os.chown(folder, group, group)
    for name, mode in SEEN_BY_SAMBA.items():
        with suppress(FileExistsError):  # whatever it is: it is the service's, and root follows no link there
            (point / name).mkdir(mode=mode)
            os.chown(point / name, group or -1, group or -1, follow_symlinks=False)


def _nothing_fits(volumes: Sequence[Volume]) -> str:
    if not volumes:
        return "no disk for the archive: attach a persistent DATABLOCK image"
    held = ", ".join(f"{volume.path.name} holds {description(volume.path)}" for volume in volumes)
    return f"no disk for the archive: {held}, which Gurney has not made and does not touch"
