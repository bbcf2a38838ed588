"""The console of a VM: what the embedded cloud keeps of it, and the way to it where nobody keeps it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from provision.errors import ProvisionError
from provision.visit.console import console_of
from tests.provision.conftest import EXAMPLE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.conftest import Office

SHOWN = b"GRUB\r\n\x1b[2J\x1b[31mgurney: SSH host key: SHA256:abc\x1b[0m\r\n\x07\x1b]0;title\x07done\r\n"


@pytest.fixture
def running(office: Office) -> Office:
    office.apply()
    office.until_running()
    return office


def vm_id(office: Office, branch: str) -> int:
    return office.found().view.appliances[branch].id


def show(office: Office, branch: str) -> Path:
    log = office.folder / "state" / "vms" / str(vm_id(office, branch)) / "console.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(SHOWN)
    return log


def test_what_was_shown_steers_no_terminal(running: Office) -> None:
    log = show(running, "erode")
    auth = running.folder / "state" / "one_auth"
    console = console_of(running.found(), "erode", running.embedded.endpoint, auth)
    assert console.log == log
    assert console.lines(100) == ["GRUB", "gurney: SSH host key: SHA256:abc", "0;titledone", ""]
    assert console.lines(1) == ["0;titledone", ""]


def test_on_another_cloud_the_ways_to_it_are_told(running: Office, tmp_path: Path) -> None:
    show(running, "erode")
    (tmp_path / "one_auth").write_text("somebody:else")
    console = console_of(running.found(), "erode", running.embedded.endpoint, tmp_path / "one_auth")
    number = vm_id(running, "erode")
    assert (console.log, console.lines(5)) == (None, [])
    assert f"virsh -c qemu+ssh://oneadmin@embedded/system console {console.domain}" in list(console.ways())
    assert f"onevm vnc {number}" in list(console.ways())
    with pytest.raises(ProvisionError, match="nowhere"):
        console_of(running.found(), "nowhere", running.embedded.endpoint, tmp_path / "one_auth")


def test_command_shows_it(running: Office, tmp_path: Path) -> None:
    show(running, "salem")
    exchange = running.folder / "state" / "host" / "srv" / "exchange"
    options = ["-f", str(EXAMPLE), "--endpoint", running.embedded.endpoint, "--exchange", str(exchange)]
    environment = {**os.environ, **running.environment}
    command = [sys.executable, "-m", "cli", "appliance", "console", *options, "salem"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "SHA256:abc" in done.stdout
    told = json.loads(subprocess.run([*command, "--json"], capture_output=True, check=True, env=environment).stdout)
    assert told["vm_id"] == vm_id(running, "salem")
    assert "SHA256:abc" in "".join(told["lines"])
