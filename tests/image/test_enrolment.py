"""A machine is enrolled over SSH where the cloud has no OneGate, and then shows its certificate."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pyone
import pytest

from appliance.dimse.scu import Peer, echo
from emulator.drivers.qemu_network import seen_port
from exchange.certificate import read_certificates
from exchange.trust import trust_in
from tests.image.building import link
from tests.image.hospitals import COMMUNITY, READY_WITHIN_S
from tests.image.shell import make_key
from tests.image.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.vm, pytest.mark.long, pytest.mark.slow, pytest.mark.timeout(1800)]


class Village:
    """One hospital on an embedded cloud without OneGate, and its admin's command line."""

    def __init__(self, state: Path, image: Path) -> None:
        self.state, self.key = state, make_key(state / "admin_key")
        self.file = state / "community.yaml"
        self.file.write_text(COMMUNITY.read_text().partition("  salem:\n")[0])
        for folder in ("host/srv/exchange", "host/var/tmp"):
            (state / folder).mkdir(parents=True)
        link(image, state / "host/var/tmp/gurney-appliance.qcow2")

    def gurney(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        place = json.loads((self.state / "endpoint.json").read_text())
        own = {"ONE_XMLRPC": place["endpoint"], "ONE_AUTH": place["auth_file"]}
        own |= {"GURNEY_IDENTITY": str(self.state / "identity.txt")}
        options = ["-f", str(self.file), "--exchange", str(self.state / "host/srv/exchange")]
        command = [sys.executable, "-m", "cli", *arguments, *options]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, env={**os.environ, **own})

    def let_in(self) -> None:
        """Have the admin's SSH key in the contexts of the VMs that are made."""
        place = json.loads((self.state / "endpoint.json").read_text())
        cloud: Any = pyone.OneServer(place["endpoint"], session=Path(place["auth_file"]).read_text().strip())
        public = self.key.with_suffix(".pub").read_text().strip()
        cloud.user.update(0, f'SSH_PUBLIC_KEY="{public}"', 1)

    def console(self, pattern: str) -> str:
        """What the VM's console shows."""
        text = "".join(path.read_text(errors="replace") for path in self.state.glob("vms/*/console.log"))
        found = re.findall(pattern, text)
        return str(found[-1]) if found else ""


@pytest.fixture
def village(tmp_path: Path, appliance_image: Path) -> Iterator[Village]:
    made = Village(tmp_path, appliance_image)
    command = [sys.executable, "-m", "cli", "emulator", "--state", str(tmp_path), "--driver", "qemu", "--no-onegate"]
    process = subprocess.Popen(command)
    try:
        until((tmp_path / "endpoint.json").exists, "embedded cloud", 120)
        made.let_in()
        yield made
    finally:
        process.terminate()
        process.wait(60)


def test_a_machine_is_enrolled_over_ssh_by_what_its_console_shows(village: Village) -> None:
    assert village.gurney("apply", "--yes").returncode == 0
    until(lambda: village.console(r"keys of this branch ([A-Z2-7-]{24})"), "the keys on the console", READY_WITHIN_S)
    host_key = village.console(r"SSH host key: (SHA256:\S+)")
    keys = village.console(r"keys of this branch ([A-Z2-7-]{24})")
    ssh = ["--port", str(seen_port(22)), "--identity", str(village.key)]
    blind = village.gurney("branch", "enrol", "erode", *ssh)
    assert blind.returncode == 4
    assert "nobody has compared yet" in blind.stderr
    done = village.gurney("branch", "enrol", "erode", *ssh, "--host-key", host_key, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["enrolled"] == {"erode": keys}, "the keys whose fingerprint the console shows"
    assert village.gurney("branch", "enrol", "erode", *ssh).returncode == 0, "the host key is known from then on"

    root = village.state / "authority.pem"
    assert village.gurney("branch", "authority", "-o", str(root)).returncode == 0
    trust = trust_in(*read_certificates(root.read_bytes()))
    (erode,) = json.loads(village.gurney("status", "--json").stdout)["branches"]

    def is_served() -> bool:
        try:
            return httpx.get(f"https://{erode['address']}:8443/health", verify=trust, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    until(is_served, "the page over HTTPS")
    assert echo(Peer("ERODE", erode["address"], 2762, trust), "CT1"), "DICOM over TLS, through the firewall"
    led = httpx.get(f"http://{erode['address']}:8080/login", trust_env=False)
    assert (led.status_code, led.headers["location"]) == (308, f"https://{erode['address']}:8443/login")
