"""`gurney appliance` exec, logs, ssh and support-bundle, as a shell sees them: real sshds at real guests' addresses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from provision.declaring.reading import parse
from tests.provision.conftest import EXAMPLE
from tests.provision.guests import Guests
from tests.provision.renaming import called
from tests.provision.upgrade.standin import program_wheel
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.provision.conftest import Office

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="a VM is visited as root"),
    pytest.mark.timeout(300),
]


#: Two of the example's branches; the second is declared, and was applied, and its machine is gone.
TEXT = EXAMPLE.read_text().partition("  karur:")[0] + "referrals: []\n"


@dataclass(frozen=True)
class Desk:
    """A desk whose own files lie in a folder as a Mac names it, with a space; and a percent sign."""

    office: Office
    guests: Guests
    folder: Path

    def run(self, name: str, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        options = ["-f", str(self.folder / "community.yaml"), "--exchange", str(self.office.exchange)]
        options += ["--port", str(self.guests.port), "--host-key", self.guests.fingerprint("erode")]
        own = {"GURNEY_IDENTITY": str(self.folder / "identity.txt")}
        return subprocess.run(
            [sys.executable, "-m", "cli", "appliance", name, *options, "-i", str(self.guests.identity), *arguments],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **self.office.environment, **own},
        )


@pytest.fixture
def desk(new_office: Callable[..., Office], tmp_path: Path) -> Iterator[Desk]:
    """Erode answers over SSH, and salem has no VM any more."""
    office = replace(new_office(driver="process", onegate=False), community=parse(TEXT))
    office.apply(TEXT)
    office.until_running()
    office.raw("vm.action", "terminate-hard", office.found().view.appliances["salem"].id)
    until(lambda: "salem" not in office.found().view.appliances)
    folder = tmp_path / "Application Support 100%"
    folder.mkdir()
    (folder / "community.yaml").write_text(TEXT)
    (folder / "identity.txt").write_bytes(office.desk.identity.path.read_bytes())
    with Guests(office, tmp_path / "guests").serving("erode") as guests:
        yield Desk(office, guests, folder)


def test_log_in_with_openssh_and_the_host_key_that_was_compared(desk: Desk) -> None:
    done = desk.run("ssh", "erode", given="echo logged in as $(id -un); exit 7\n")
    assert ("logged in as root" in done.stdout, done.returncode) == (True, 7), done.stderr
    (line,) = (desk.folder / "appliance_hosts").read_text().splitlines()
    assert line.split()[0] == "kongu.erode"
    other = line.replace("kongu.erode", "kongu.other")
    (desk.folder / "appliance_hosts").write_text(f"{other}\n")
    assert desk.run("ssh", "erode", "--host-key", "", given="echo logged in\n").returncode == 4


def test_logs_are_those_of_the_service_and_the_boot(desk: Desk) -> None:
    journal = desk.guests.folder / "erode" / "bin" / "journalctl"
    journal.write_text('#!/bin/sh\necho "told $*"\n')
    journal.chmod(0o755)
    done = desk.run("logs", "-n", "7", "erode")
    assert (done.returncode, done.stdout) == (0, "told --no-pager -o short-iso -n 7 -u gurney*\n"), done.stderr
    journal.write_text("#!/bin/sh\necho no journal >&2; exit 1\n")
    done = desk.run("logs", "erode")
    assert (done.returncode, "no journal" in done.stdout, "failed in erode" in done.stderr) == (4, True, True)


def test_branch_without_a_machine_is_told_and_the_others_are_visited(desk: Desk, tmp_path: Path) -> None:
    done = desk.run("exec", "--json", "--", "echo", "here")
    told = json.loads(done.stdout)
    assert done.returncode == 4
    assert told["kongu.erode"]["out"] == "here\n"
    assert "has no VM" in told["kongu.salem"]["error"]
    assert "kongu.salem has no VM" in done.stderr
    assert desk.run("exec", "-b", "salem", "--", "true").returncode == 4
    done = desk.run("upgrade", "--json", "--keep-going", "--all", "--wheel", str(program_wheel(tmp_path, "0.2.0")))
    assert done.returncode == 4, done.stderr
    assert "has no VM" in json.loads(done.stdout)["kongu.salem"]["error"]


def test_branch_that_is_named_twice_is_visited_once(desk: Desk) -> None:
    assert desk.run("exec", "-b", "erode", "-b", "erode", "--", "echo", "once").stdout == "kongu.erode: once\n"
    target = desk.folder / "bundle.tar.gz"
    done = desk.run("support-bundle", "-o", str(target), "erode", "erode")
    assert done.returncode == 0, done.stderr
    with tarfile.open(target) as bundle:
        assert "erode/versions.txt" in bundle.getnames()


def test_a_branch_that_is_called_otherwise_is_known_by_its_host_key(desk: Desk) -> None:
    """The key lies on the archive, and stays; who compared it once does so no more."""
    assert desk.run("ssh", "erode", given="true\n").returncode == 0
    text = called(TEXT, "erode-town")
    assert not desk.office.apply(text).after
    (desk.folder / "community.yaml").write_text(text)
    done = desk.run("ssh", "erode-town", "--host-key", "", given="echo logged in\n")
    assert ("logged in" in done.stdout, done.returncode) == (True, 0), done.stderr
    (line,) = (desk.folder / "appliance_hosts").read_text().splitlines()
    assert line.split()[0] == "kongu.erode"
