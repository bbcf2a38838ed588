"""The embedded cloud as a child: what is said when it cannot start."""

from __future__ import annotations

import contextlib
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from cli.demo.embedded import embedded_cloud
from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
