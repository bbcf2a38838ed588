"""Asking an appliance over SSH who it is: its public keys, and the proof that it holds them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from provision.enrolling.report import BadReport, Report, read_report
from provision.image.layout import Places

if TYPE_CHECKING:
    from provision.visit.shell import Shell

#: sshd's own PATH for a command does not have to hold the place of the program.
COMMAND = 'PATH="$PATH:/usr/local/bin" ' + shlex.join(
    ["gurney", "appliance", "identity", "--archive", Places.archive, "--json"]
)


def identity_of(shell: Shell) -> Report:
    """
    What the appliance says of itself.

    Raises
    ------
    BadReport
        It cannot say, or says something else; with the last line of what it said.
    """
    said = shell.run(COMMAND)
    if said.code:
        words = next((line for line in reversed(said.err.splitlines()) if line.strip()), f"exit code {said.code}")
        raise BadReport(f"`gurney appliance identity` failed there: {words.strip()}")
    return read_report(said.out)
