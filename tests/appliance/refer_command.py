"""The command `gurney refer`, as a process."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.appliance.hospital import PASSWORD, Hospital


def gurney(*arguments: str, password: str | None = PASSWORD) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "GURNEY_PASSWORD"}
    environment |= {"GURNEY_PASSWORD": password} if password is not None else {}
    return subprocess.run(
        [sys.executable, "-m", "cli", "refer", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def at(erode: Hospital, patient: str = "ER-1", to: str = "salem") -> list[str]:
    return ["--patient", patient, "--to", to, "--at", erode.url, "--login", "dr.anbu"]
