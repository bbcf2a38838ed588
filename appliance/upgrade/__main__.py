"""`python -m appliance.upgrade install FOLDER | settle | prepare | judge | state`: what admins and units run, as root.

It tells one JSON object a line: `step` when one begins, and at last what became of it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from appliance.boot.machine import Machine, Trouble
from appliance.upgrade.index import ask
from appliance.upgrade.journal import begun
from appliance.upgrade.programs import Programs
from appliance.upgrade.replacement import judge, prepare
from appliance.upgrade.running import Service
from appliance.upgrade.upgrading import RolledBack, Upgrading

FAILED, UNDONE = 1, 3


def main(arguments: list[str]) -> int:
    """Do it, and say so; 0 where it is done, 1 where it was not begun, 3 where it was rolled back."""
    given = _parser().parse_args(arguments)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # an upgrade goes on when the line to the admin breaks
    machine = Machine(given.root)
    upgrading = Upgrading(Programs(machine), Service(machine, given.address, patience_s=given.patience), _tell_step)
    try:
        _require(upgrading.programs)
        return _VERBS[given.verb](upgrading, given)
    except RolledBack as error:
        _tell(error=str(error), rolled_back=True, answers=error.answers)
        return UNDONE
    except (Trouble, OSError) as error:
        _tell(error=str(error), rolled_back=False)
        return FAILED


def _require(programs: Programs) -> None:
    if not programs.folder.is_dir():
        raise Trouble(f"{programs.folder}: not there: this appliance has no archive, or an image that is too old")


def _install(upgrading: Upgrading, given: argparse.Namespace) -> int:
    _tell(**asdict(upgrading.install(given.folder)))
    return 0


def _settle(upgrading: Upgrading, given: argparse.Namespace) -> int:
    with upgrading.programs.alone():
        journal = begun(upgrading.programs.journal)
        due = given.mark is None or (journal is not None and journal.mark == given.mark)
        _tell(settled=due and upgrading.settle())
    return 0


def _prepare(upgrading: Upgrading, _given: argparse.Namespace) -> int:
    with upgrading.programs.alone():
        upgrading.settle()
        prepare(upgrading.programs, upgrading.service)
    _tell(prepared=True)
    return 0


def _judge(upgrading: Upgrading, _given: argparse.Namespace) -> int:
    with upgrading.programs.alone():
        _tell(opened=judge(upgrading.programs, upgrading.service))
    return 0


def _state(upgrading: Upgrading, _given: argparse.Namespace) -> int:
    programs = upgrading.programs
    now = programs.current()
    index = {"schema": ask(programs.archive, "revision"), "knows": programs.schema(now)}
    free = shutil.disk_usage(programs.folder).free
    begin = begun(programs.journal) is not None
    _tell(**asdict(now), **index, free=free, under_way=begin, running=programs.busy())
    return 0


_VERBS = {"install": _install, "settle": _settle, "prepare": _prepare, "judge": _judge, "state": _state}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="appliance.upgrade")
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--patience", type=float, default=180.0)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("install").add_argument("folder", type=Path)
    for verb in ("prepare", "judge", "state"):
        verbs.add_parser(verb)
    verbs.add_parser("settle").add_argument("--mark", help="Only the replacement that was begun with this mark.")
    return parser


def _tell_step(step: str) -> None:
    _tell(step=step)


def _tell(**facts: Any) -> None:
    """One line; an admin who no longer listens does not end an upgrade."""
    try:
        print(json.dumps(facts), flush=True)  # noqa: T201 - this is how it speaks
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
