"""The firewall of an appliance, as the kernel takes it: who gets in, and how many connections one address has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from provision.image.layout import values_for
from provision.image.mirror import Source
from templates.files import guest_files
from tests.image.two_networks import NEIGHBOURS, PORTS, STRANGER, TRIED

#: What one address may have at a time: fewer than sshd, and smbd, have for all.
MOST = {22: 8, 445: 24}
NAMESPACE = ("unshare", "--map-root-user", "--net")
#: Three boots of one machine, before the first of which nobody has loaded the rules; what each says, and who gets in.
BOOTS = """
import json, subprocess, sys
from pathlib import Path
from appliance.boot.firewall import open_firewall
from appliance.boot.machine import Machine
variables = {"GURNEY_BRANCH_NETWORKS": "10.20.1.0/24 fe80::%eth0/64", "GURNEY_ADMIN_NETWORKS": "10.9.0.0/16"}
machine = Machine(Path(sys.argv[2]))
told = [machine.take(lambda: open_firewall(machine, (), variables), "failed")]
subprocess.run(["nft", "--file", sys.argv[1]], check=True)
told += [machine.take(lambda: open_firewall(machine, (), variables), "failed") for _ in range(2)]
json.dump([told, machine.troubles], sys.stderr)
for name in ("branch4", "branch6", "admins4"):
    subprocess.run(["nft", "list", "set", "inet", "gurney", name], check=True)
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ruleset that goes into an image."""
    if subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode:
        pytest.skip("the kernel lets nobody make a network namespace")
    values = values_for("1.2.3", (Source("http://mirror.example/debian", "bookworm"),))
    files = {str(path): text for path, text in guest_files(**values)}
    path = tmp_path_factory.mktemp("firewall") / "nftables.conf"
    path.write_text(files["etc/nftables.conf"])
    return path


def test_nft_takes_the_rules(rules: Path) -> None:
    checked = subprocess.run([*NAMESPACE, "nft", "--check", "--file", str(rules)], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_slip_in_one_network_costs_itself_alone_and_rules_that_failed_are_loaded_again(
    rules: Path, tmp_path: Path
) -> None:
    booted = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", BOOTS, str(rules), str(tmp_path)], capture_output=True, text=True
    )
    told, troubles = json.loads(booted.stderr)
    assert told == ["failed", True, False]
    slip, failed, *slips = troubles
    assert {slip, *slips} == {"GURNEY_BRANCH_NETWORKS in the context: 'fe80::%eth0/64' is no network"}
    assert failed.startswith("nft failed: ")
    assert [line.strip() for line in booted.stdout.splitlines() if "elements" in line] == [
        "elements = { 10.20.1.0/24 }",
        "elements = { 10.9.0.0/16 }",
    ]


def test_one_address_does_not_take_all_places(rules: Path) -> None:
    """And it has them again when it has closed its connections; nobody else has fewer, and a stranger none."""
    script = Path(__file__).with_name("two_networks.py")
    knocked = subprocess.run(
        [*NAMESPACE, sys.executable, str(script), str(rules)], capture_output=True, text=True, timeout=240
    )
    assert knocked.returncode == 0, knocked.stderr
    expected = {
        f"{address} {port}": [0, 0] if address == STRANGER else [MOST.get(port, TRIED)] * 2
        for address in (*NEIGHBOURS, STRANGER)
        for port in PORTS
    }
    assert json.loads(knocked.stdout) == expected
