"""What of an appliance can be reached, from its own network and from a neighbour's; on q35 with UEFI."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("image")]

NAMESPACE = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]
SERVICES = {"SSH": {22}, "page": {80, 8080}, "DICOM": {104, 11112}, "SMB": {445}}


def test_port_scan_and_an_exchanged_context(appliance_image: Path, tmp_path: Path) -> None:
    if (
        subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode
        or not Path("/dev/net/tun").exists()
    ):
        pytest.skip("this machine allows no network namespaces, or has no /dev/net/tun")
    command = [*NAMESPACE, sys.executable, "-m", "tests.image.scan", str(tmp_path / "vm"), str(appliance_image)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    console = tmp_path / "vm" / "console.log"
    assert done.returncode == 0, done.stderr + (console.read_text(errors="replace")[-3000:] if console.exists() else "")
    seen = {who: set(ports) for who, ports in json.loads(done.stdout).items()}
    assert seen["colleague"] == set().union(*SERVICES.values())
    assert seen["neighbour"] == set()
    assert seen["neighbour, now an admin"] == SERVICES["SSH"] | SERVICES["page"]
    assert "this is erode of kongu" in console.read_text(errors="replace")
