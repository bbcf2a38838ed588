"""The tutorial's commands, run in its order by one shell, with the output that it shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[tuple[str, list[str]]]:
    """Each command with the lines that the page shows below it."""
    found: list[tuple[str, list[str]]] = []
    for line in "".join(BLOCK.findall(page)).splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def shown(lines: list[str]) -> str:
    """A pattern of the lines, in which … stands for anything."""
    return ".*".join(re.escape(part) for part in "\n".join(lines).split("…"))


class Shell:
    """One bash that is fed command by command."""

    def __init__(self, folder: Path) -> None:
        path = os.pathsep.join(["/usr/bin", "/bin", str(Path(sys.executable).parent)])
        self._process = subprocess.Popen(
            ["bash", "-m"],
            cwd=folder,
            env={"PATH": path, "HOME": str(folder), "COLUMNS": "160"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def run(self, command: str) -> tuple[int, str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f'{command}\necho "=END= $?"\n')
        self._process.stdin.flush()
        said = ""
        for line in self._process.stdout:
            if line.startswith("=END= "):
                return int(line.split()[1]), said
            said += line
        pytest.fail(f"the shell ended at {command!r}: {said}")

    def end(self) -> None:
        self._process.communicate(timeout=60)


@pytest.mark.slow
def test_every_command_of_the_tutorial_does_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    shutil.copytree(ROOT / "docs" / "examples", tmp_path / "docs" / "examples")
    shell = Shell(tmp_path)
    try:
        for command, lines in commands((ROOT / "docs" / "tutorial.md").read_text()):
            code, said = shell.run(command)
            assert code == 0 or command in {"kill %1", "wait"}, f"{command}\n{said}"
            if lines:
                assert re.search(shown(lines), said, re.DOTALL), f"{command}\n{said}"
    finally:
        place = tmp_path / "tour" / "cloud" / "endpoint.json"
        if place.exists():
            os.kill(json.loads(place.read_text())["pid"], signal.SIGTERM)
        shell.end()


def test_the_page_has_commands() -> None:
    assert len(commands((ROOT / "docs" / "tutorial.md").read_text())) > 20
