"""What a machine of qemu sees of a change while it runs: another CONTEXT disc in its drive, larger disks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.drivers import qemu_command, qemu_files, qmp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from emulator.drivers.driver import Guest


def show(guest: Guest) -> None:
    """
    Let a machine that runs see its context, and the sizes of its data disks, as they are now.

    Raises
    ------
    OSError, EmulatorError
        It does not answer, or refuses.
    """
    drives: Sequence[dict[str, Any]] = qmp.tell(qemu_command.control(guest), "query-block")
    if qemu_files.write_context_disc(guest):
        _replace_disc(guest, drives)
    for device, size_bytes in _grown(guest, drives):
        qmp.tell(qemu_command.control(guest), "block_resize", device=device, size=size_bytes)


def _replace_disc(guest: Guest, drives: Sequence[dict[str, Any]]) -> None:
    device = next(each["device"] for each in drives if each["removable"])
    path = str(qemu_command.context_disc(guest))
    # by force: a guest that has mounted the old one keeps the tray closed
    qmp.tell(
        qemu_command.control(guest), "blockdev-change-medium", device=device, filename=path, format="raw", force=True
    )


def _grown(guest: Guest, drives: Sequence[dict[str, Any]]) -> Iterator[tuple[str, int]]:
    """The drives that are to be larger; none becomes smaller."""
    wanted = {str(path): size_mib * qemu_files.MIB for path, size_mib in qemu_command.data_disks(guest)}
    for drive in drives:
        image = drive.get("inserted", {}).get("image", {})
        size_bytes = wanted.get(image.get("filename", ""), 0)
        if size_bytes > image.get("virtual-size", 0):
            yield drive["device"], size_bytes
