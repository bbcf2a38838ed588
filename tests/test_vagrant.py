"""The Vagrantfile is one that Vagrant takes, and what it runs tells what it lacks before anything is changed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIVE = ROOT / "tests" / "live"
MISUSED = 64


@pytest.mark.parametrize("variables", [{}, {"ONE_VERSION": "7.0", "GURNEY_BOX": "generic/ubuntu2204"}])
def test_vagrant_validates(tmp_path: Path, variables: dict[str, str]) -> None:
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "VAGRANT_DOTFILE_PATH": str(tmp_path / "dot")}
    command = ["vagrant", "validate", "--ignore-provider"]
    subprocess.run(command, cwd=ROOT, env={**environment, **variables}, check=True, timeout=240)


@pytest.mark.parametrize("script", ["front-end.sh", "run.sh"])
def test_scripts_are_sh(script: str) -> None:
    subprocess.run(["dash", "-n", LIVE / script], check=True)


def test_front_end_is_for_root_only(tmp_path: Path) -> None:
    """Run as nobody it stops before anything."""
    script = "exec setpriv --reuid 65534 --clear-groups sh -s" if os.geteuid() == 0 else "exec sh -s"
    text = (LIVE / "front-end.sh").read_text()
    done = subprocess.run(["sh", "-c", script], input=text, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, "run this as root" in done.stderr) == (MISUSED, True)


def test_live_tests_run_on_a_front_end_that_is_named() -> None:
    """No machine is brought up then; the mark alone is chosen."""
    environment = {**os.environ, "ONE_XMLRPC": "http://127.0.0.1:1/RPC2"}
    done = subprocess.run(
        ["sh", LIVE / "run.sh", "echo", "-q"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "-m live -q\n"


def test_live_tests_say_what_they_need_without_a_front_end(tmp_path: Path) -> None:
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["sh", LIVE / "run.sh", "false"], env=bare, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "ONE_REPOSITORY is not set" in done.stderr
