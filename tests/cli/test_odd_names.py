"""Names of files with bytes that are no UTF-8, and with control characters, on terminals that speak little."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.data import get_charset_files, get_testdata_file

from cli.console import printable

ROOT = Path(__file__).parents[2]
CT = str(get_testdata_file("CT_small.dcm", download=False))
ENCODINGS = ("utf-8:strict", "utf-8:surrogateescape", "latin-1", "ascii")


def ended(encoding: str, folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "cli", *words], env=environment, cwd=folder, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_json_is_utf_8_whatever_the_terminal_speaks(encoding: str, tmp_path: Path) -> None:
    """And names the file so that a program finds it."""
    names = [b"Bild \xc3\x9f.dcm", b"x\xfey.dcm"]
    for name in names:
        shutil.copy(CT, tmp_path / os.fsdecode(name))
    done = ended(encoding, tmp_path, "convert", ".", "-o", "out", "--json", "--workers", "0")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.decode("utf-8").splitlines()]
    assert sorted(os.fsencode(each["source"]) for each in told) == [b"./" + name for name in names]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_values_that_a_terminal_cannot_show_end_nothing(encoding: str, tmp_path: Path) -> None:
    greek = str(get_charset_files("chrGreek.dcm")[0])
    for option in ([], ["--csv"], ["--json"]):
        done = ended(encoding, tmp_path, "tags", greek, *option)
        assert (done.returncode, done.stderr) == (0, b"")
        assert len(done.stdout) > 500


@pytest.mark.parametrize("command", [("tags",), ("convert", "-o", "out")], ids=["tags", "convert"])
def test_a_name_does_not_steer_the_terminal(command: tuple[str, ...], tmp_path: Path) -> None:
    name = "a\x1b]0;owned\x07\x9b2J.dcm"
    (tmp_path / name).write_text("Dear colleague")
    done = ended("utf-8", tmp_path, *command, name)
    assert done.returncode == 5
    assert not [byte for byte in done.stderr.decode() if byte in "\x1b\x07\x9b"]
    assert b"a\\x1b]0;owned\\x07\\x9b2J.dcm" in done.stderr


def test_lines_and_letters_stay() -> None:
    assert printable("erode: 3 Brüche\n\tund mehr\r") == "erode: 3 Brüche\n\tund mehr\\x0d"
