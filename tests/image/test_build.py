"""Whole builds: the same comes of the same, with no network once all is cached; one that ends early leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from provision.image.builder import Order, find_ingredients, own_lock
from tests.image.waiting import until

pytestmark = [
    pytest.mark.vm,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
]

LARGEST = 350_000_000
NOWHERE = "http://127.0.0.1:9"
BEFORE_IT_ENDS_S = 900


def build(folder: Path, *, environment: dict[str, str] | None = None) -> dict[str, Any]:
    folder.mkdir()
    command = [sys.executable, "-m", "cli", "appliance", "build", "-o", str(folder / "image.qcow2"), "--json"]
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_second_build_needs_no_network_and_makes_the_same(tmp_path: Path) -> None:
    """Everything that could reach a mirror is told to go where nobody is."""
    one = build(tmp_path / "one")
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE)
    two = build(tmp_path / "two", environment=proxies)
    assert one["tree_sha256"] == two["tree_sha256"]
    assert one["files"] == two["files"]
    bills = [(tmp_path / name / "image.cdx.json").read_bytes() for name in ("one", "two")]
    assert bills[0] == bills[1]
    assert max(one["bytes"], two["bytes"]) <= LARGEST


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_build_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    find_ingredients(Order(tmp_path / "unused", own_lock()))
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    for folder in (temporary, out):
        folder.mkdir()
    command = [sys.executable, "-m", "cli", "appliance", "build", "-o", str(out / "image.qcow2")]
    process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(temporary)}, stderr=subprocess.PIPE, text=True)
    until(lambda: list(temporary.glob("*/mmdebstrap.*/usr")), "the installation", BEFORE_IT_ENDS_S)
    time.sleep(1)
    process.send_signal(number)
    _, words = process.communicate(timeout=240)
    assert process.returncode == 130, words
    assert "Installing Debian" in words
    assert "Traceback" not in words
    assert (list(temporary.iterdir()), list(out.iterdir())) == ([], [])
    assert processes_in(temporary) == []
    assert str(temporary) not in Path("/proc/mounts").read_text()


def processes_in(folder: Path) -> list[str]:
    """Processes that name a folder in their command line."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(line.read_bytes().decode(errors="replace"))
    return [text for text in found if str(folder) in text]
