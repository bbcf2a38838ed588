"""The replacement of the whole root disk: begun on the old one, judged on the new one, whichever comes.

From the moment at which it is begun, the service of either disk stays closed until it has shown that it answers. So
nothing is acknowledged in an index that the old disk could not read, and the old disk can come back.
"""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING

from appliance.boot.machine import run
from appliance.disk import flush
from appliance.upgrade.index import ask
from appliance.upgrade.journal import Journal, begin, begun, finish

if TYPE_CHECKING:
    from appliance.boot.machine import Machine
    from appliance.upgrade.programs import Programs
    from appliance.upgrade.running import Service

MACHINE_ID = "/etc/machine-id"
SYSTEMD_RUN = "/usr/bin/systemd-run"
#: How long a prepared machine waits for its next root disk.
WAITED_S = 1800


def disk_of(machine: Machine) -> str:
    """What tells one root disk from the next: machine-id(5), made at a disk's first boot."""
    path = machine.path(MACHINE_ID)
    return path.read_text().strip() if path.is_file() else "unknown"


def prepare(programs: Programs, service: Service) -> None:
    """Note that the root disk is about to be replaced, and stop taking anything in."""
    schema = ask(programs.archive, "revision")
    mark = secrets.token_hex(8)
    _settle_later(service, mark)
    begin(programs.journal, Journal(programs.current().place, schema, disk_of(service.machine), mark))
    service.stop()


def _settle_later(service: Service, mark: str) -> None:
    """Let the machine take in again by itself where nothing comes: the admin's desk may be dead.

    It undoes this replacement alone, by its mark: the timer of one that was given up must not undo the next, and the
    clock may be set while it counts. It goes with this disk, and with a power cut, after which `judge` opens the
    service.
    """
    machine = service.machine
    program = [
        sys.executable,
        "-I",
        "-m",
        "appliance.upgrade",
        "--root",
        str(machine.root),
        "--address",
        service.address,
    ]
    timer = ["--quiet", "--collect", f"--on-active={WAITED_S}s", "--"]
    run(str(machine.path(SYSTEMD_RUN)), *timer, *program, "settle", "--mark", mark)


def fit(programs: Programs, journal: Journal) -> None:
    """At the boot of a disk: the index and the version that it can serve with; the copy is taken where it is older."""
    if ask(programs.archive, "revision") > programs.schema(programs.current()):
        ask(programs.archive, "restore", journal.schema)
        programs.choose(journal.place)
        flush(programs.archive)


def judge(programs: Programs, service: Service) -> bool:
    """
    Open the service of a machine whose root disk was replaced once it answers; False where none was.

    Raises
    ------
    Trouble
        It does not answer: it stays closed.
    """
    journal = begun(programs.journal)
    if journal is None or not journal.disk:
        return False
    service.wait_until_it_answers()
    finish(programs.journal)
    service.wait_until_it_answers(opened=True)
    programs.sweep(programs.current().place)
    return True
