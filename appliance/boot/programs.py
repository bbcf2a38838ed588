"""The versions of the service that lie on the archive's disk: shown where they can be run, and the right one chosen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from appliance.boot.machine import run
from appliance.upgrade.programs import Programs
from appliance.upgrade.release import newer, own_release

if TYPE_CHECKING:
    from appliance.boot.machine import Machine
    from appliance.upgrade.journal import Journal

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
    """Choose the version that the service is started with.

    What an upgrade that was cut off has begun is undone. Then an image that is newer than what was installed over an
    older one wins; while the root disk is replaced, one that cannot read the index gets the copy that it can.
    """
    programs = Programs(machine)
    replacing = programs.journal.exists() and _settle(machine, programs)
    if replacing:
        programs.choose(replacing.place)  # what another disk chose before it was judged does not hold
    _prefer_newer_image(machine, programs)
    if replacing:
        from appliance.upgrade.replacement import fit

        fit(programs, replacing)
    else:
        programs.sweep(programs.current().place)


def _settle(machine: Machine, programs: Programs) -> Journal | None:
    """Undo an upgrade that was cut off; the journal of a root disk's replacement comes back, which goes on."""
    from appliance.upgrade.journal import begun  # only after a power cut at the wrong time, or on a new root disk
    from appliance.upgrade.running import NotRunning
    from appliance.upgrade.upgrading import Upgrading

    journal = begun(programs.journal)
    if journal is not None and journal.disk:
        machine.say("the root disk is replaced: the service stays closed until it has shown that it answers")
        return journal
    Upgrading(programs, NotRunning(machine), lambda _step: None).settle()
    machine.say(f"an upgrade was cut off, and is undone: {programs.current().version} serves")
    return None


def _prefer_newer_image(machine: Machine, programs: Programs) -> None:
    if not programs.chosen.is_symlink():
        return
    chosen, own = programs.current(), own_release()
    if newer(own.version, chosen.version) and newer(own.version, chosen.over):
        machine.say(f"the image brings {own.version}, which is newer than {chosen.version}")
        programs.choose("")
