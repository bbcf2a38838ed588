"""What `gurney demo --vm` boots from, and what becomes of what cannot boot."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli.demo.stops import share_of
from emulator.drivers.qemu_network import SHIFT, seen_port
from tests.emulator.qemu import needs_qemu
from tests.waiting import PATIENCE_S

pytestmark = needs_qemu
MIB = 1 << 20
#: mov dx, 0x604; mov ax, 0x2000; out dx, ax; hlt: what ACPI's S5 is on this machine of qemu (PIIX4, PM1a control).
POWER_OFF = b"\xba\x04\x06\xb8\x00\x20\xef\xf4"
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "community.yaml"
FROM_FILE = "image: {path: /var/tmp/gurney-appliance.qcow2}"


def demonstrated(image: Path, state: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "demo", "--exit", "--vm", str(image), "--keep", str(state), *more]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=PATIENCE_S * 3)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"# A letter, and no disk\n" * 99, "is no disk that a machine boots from"),
        (b"", "is no disk that a machine boots from"),
        (b"QFI\xfb\0\0\0\3" + bytes(96), "cannot be read: Could not open"),
    ],
    ids=["letter", "empty", "broken"],
)
def test_file_that_is_no_machine_s_disk_is_refused_at_once(tmp_path: Path, content: bytes, words: str) -> None:
    image = tmp_path / "a,b: image"
    image.write_bytes(content)
    done = demonstrated(image, tmp_path / "kept")
    assert done.returncode == 2, done.stderr
    assert f"{image} {words}" in done.stderr
    assert list((tmp_path / "kept").iterdir()) == []


def test_community_that_takes_its_image_from_elsewhere_is_refused(tmp_path: Path) -> None:
    """Its machines would not boot from the file that is named here."""
    image, community = tmp_path / "image", tmp_path / "community.yaml"
    image.write_bytes(bytes(MIB))
    text = EXAMPLE.read_text()
    assert FROM_FILE in text
    community.write_text(text.replace(FROM_FILE, "image: {url: 'https://here.example/a.qcow2'}"))
    done = demonstrated(image, tmp_path / "kept", "-f", str(community))
    assert done.returncode == 2, done.stderr
    assert "takes its machines' image from https://here.example/a.qcow2" in done.stderr


def test_share_of_a_machine_is_named_with_the_port_where_it_is_found() -> None:
    """By this machine's administrator at SMB's own port; by others, and beside a server of its own, elsewhere."""
    port = seen_port(445)
    assert share_of("127.20.0.1") == f"smb://127.20.0.1{'' if port == 445 else f':{port}'}/pictures"
    assert port % SHIFT == 445


@pytest.mark.slow
def test_machine_that_switches_itself_off_ends_the_demonstration(tmp_path: Path) -> None:
    """With its name and its state: nobody waits 15 minutes for what will not come."""
    image = tmp_path / "image"
    image.write_bytes(POWER_OFF.ljust(510, b"\0") + b"\x55\xaa" + bytes(MIB - 512))
    done = demonstrated(image, tmp_path / "kept")
    assert done.returncode == 6, done.stderr
    assert re.search(r"Not ready after \d+ s: .*its VM is POWEROFF", done.stderr), done.stderr
