"""A box for Vagrant, made from our own image, comes up with libvirt."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from emulator.drivers.disc import disc
from tests.image.building import link
from tests.image.lone import text_of, variables
from tests.image.shell import make_key

pytestmark = [
    pytest.mark.vm,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
]

BOX = Path(__file__).parents[1] / "live" / "box"
CARD, NETWORK = "52:54:00:67:75:72", "192.168.121.0/24"
FORMAT = {"provider": "libvirt", "format": "qcow2", "virtual_size": 6}


@pytest.fixture
def folder(appliance_image: Path, tmp_path: Path) -> Path:
    """All that a box needs; its one card asks DHCP, so that its network has to be named."""
    shutil.copy(BOX / "Vagrantfile", tmp_path)
    key = make_key(tmp_path / "key").with_suffix(".pub").read_text()
    context = variables(SSH_PUBLIC_KEY=key, ETH0_MAC=CARD, ETH0_METHOD="dhcp", GURNEY_BRANCH_NETWORKS=NETWORK)
    own = {name: value for name, value in context.items() if not name.startswith(("ETH1", "ETH0_IP", "ETH0_MASK"))}
    (tmp_path / "context.iso").write_bytes(disc("CONTEXT", {"context.sh": text_of(own).encode()}))
    (tmp_path / "metadata.json").write_text(json.dumps(FORMAT))
    link(appliance_image, tmp_path / "box.img")
    with tarfile.open(tmp_path / "appliance.box", "w") as box:
        for name in ("metadata.json", "box.img"):
            box.add(tmp_path / name, name)
    return tmp_path


def test_box_of_our_own_image_comes_up(folder: Path) -> None:
    namespaces = ["unshare", "--net", "--mount"]
    if os.geteuid() != 0 or subprocess.run([*namespaces, "true"], check=False).returncode:
        pytest.fail("libvirt needs root, and network and mount namespaces: this machine does not allow them")
    done = subprocess.run(
        [*namespaces, "sh", str(BOX / "up.sh"), str(folder)],
        env={**os.environ, "CARD": CARD},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "Machine booted and ready!" in done.stdout
    assert "/var/lib/gurney /dev/vdb ext4" in " ".join(done.stdout.split())
