"""The versions of the service that lie on the archive's disk: shown where they can be run, and the right one chosen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from appliance.boot.machine import run
from appliance.upgrade.programs import Programs
from appliance.upgrade.release import newer, own_release

if TYPE_CHECKING:
    from appliance.boot.machine import Machine

FLAGS = "remount,bind,exec,nosuid,nodev"


def show_programs(machine: Machine) -> bool:
    """Show the folder of versions to the service, and settle what a power cut has ended; False where it was shown."""
    programs = Programs(machine)
    if os.path.ismount(programs.seen):
        return False
    programs.folder.mkdir(mode=0o755, exist_ok=True)
    programs.seen.mkdir(mode=0o755, parents=True, exist_ok=True)
    run("mount", "--bind", str(programs.folder), str(programs.seen))
    run("mount", "-o", FLAGS, str(programs.seen))
    choose_program(machine)
    return True


def choose_program(machine: Machine) -> None:
    """Undo an upgrade that was cut off; then an image that is newer than what was installed over an older one wins."""
    programs = Programs(machine)
    if programs.journal.exists():
        from appliance.upgrade.running import NotRunning  # only after a power cut at the wrong time
        from appliance.upgrade.upgrading import Upgrading

        Upgrading(programs, NotRunning(machine), lambda _step: None).settle()
        machine.say(f"an upgrade was cut off, and is undone: {programs.current().version} serves")
    programs.sweep(programs.current().place)
    if not programs.chosen.is_symlink():
        return
    chosen, own = programs.current(), own_release()
    if newer(own.version, chosen.version) and newer(own.version, chosen.over):
        machine.say(f"the image brings {own.version}, which is newer than {chosen.version}")
        programs.choose("")
