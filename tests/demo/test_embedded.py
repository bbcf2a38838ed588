"""The embedded cloud as a child: what is said when it cannot start."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.demo.embedded import embedded_cloud
from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 64 KiB that is full."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=False, capture_output=True
    )
    if os.getuid() != 0 or mounted.returncode:
        pytest.skip("mounting needs root")
    try:
        (place / "state").mkdir()
        descriptor = os.open(place / "filling", os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            while os.write(descriptor, bytes(4096)):
                pass
        os.close(descriptor)
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_a_full_disk_is_named(full_disk: Path) -> None:
    words = f"did not start in {full_disk / 'state'}: no space is left on the disk"
    with pytest.raises(EmulatorError, match=words), embedded_cloud(full_disk / "state", "none"):
        pass


BESIDE_ANOTHER = """
import socket, subprocess, sys
from pathlib import Path
from cli.demo.embedded import embedded_cloud
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
with socket.create_server(("0.0.0.0", int(sys.argv[2]))), embedded_cloud(Path(sys.argv[1]), "qemu"):
    pass
"""


@pytest.mark.parametrize("port", ["8443", "11112"])
def test_a_program_in_the_machines_place_is_told_at_once(tmp_path: Path, port: str) -> None:
    """Gurney would wait for its pages, and send patients' images to the other program."""
    apart = ("unshare", "--net", "--map-root-user")
    if subprocess.run([*apart, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this account may not make a namespace of networks (unshare --map-root-user --net)")
    command = [*apart, sys.executable, "-c", BESIDE_ANOTHER, str(tmp_path / "cloud"), port]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert f"EmulatorError: Another program has port {port} at all addresses of this machine" in done.stderr
    assert not (tmp_path / "cloud").exists()
