"""What docs/converter.md shows is run: its commands through a shell, its Python."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.converter.building import SHIPPED, ct, file, image, packed

MANUAL = Path(__file__).parent.parent.parent / "docs" / "converter.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", MANUAL.read_text(), re.DOTALL)


COMMANDS = [line.split("  #")[0].strip() for block in blocks("console") for line in block.splitlines()]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with all that the manual's commands name."""
    shutil.copytree(SHIPPED / "dicomdirtests" / "98892001", tmp_path / "cd")
    shutil.make_archive(str(tmp_path / "cd"), "zip", tmp_path / "cd")
    shutil.copytree(SHIPPED / "dicomdirtests", tmp_path, dirs_exist_ok=True)
    (tmp_path / "ct" / "deeper").mkdir(parents=True)
    shutil.copy(SHIPPED / "CT_small.dcm", tmp_path / "ct" / "deeper")
    (tmp_path / "study").mkdir()
    shutil.copy(SHIPPED / "CT_small.dcm", tmp_path / "study")
    (tmp_path / "image.dcm").write_bytes(ct())
    (tmp_path / "ct.dcm").write_bytes(ct())
    cells = [cell * 40 for cell in range(24 * 25)]
    cine = image(packed(cells), 4, 6, NumberOfFrames=25, WindowCenter="12000", WindowWidth="24000", FrameTime="40")
    (tmp_path / "cine.dcm").write_bytes(file(cine))
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "gurney"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli "$@"\n')
    program.chmod(0o755)
    return tmp_path


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 8


@pytest.mark.parametrize("command", COMMANDS)
def test_the_manuals_commands_work(command: str, desk: Path) -> None:
    root = str(MANUAL.parent.parent)
    environment = {**os.environ, "PATH": f"{desk / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": root}
    found = subprocess.run(
        ["sh", "-c", command], cwd=desk, env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    if "convert" in command:
        assert "written" in found.stdout


def test_the_manuals_python_works(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (program,) = blocks("python")
    monkeypatch.chdir(desk)
    names: dict[str, object] = {}
    exec(compile(program, str(MANUAL), "exec"), names)
    png = names["png"]
    assert isinstance(png, bytes)
    assert png.startswith(b"\x89PNG")
