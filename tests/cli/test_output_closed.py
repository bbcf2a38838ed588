"""An output that is closed, full or missing ends a command in few words, and without a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file

from tests.cli.command_tree import commands

ROOT = Path(__file__).parents[2]
CT = str(get_testdata_file("CT_small.dcm", download=False))
WORDY = [("tags", CT), ("tags", "--csv", CT), ("tags", "--json", CT), ("schema",), ("--help",), ("--version",)]
SIGPIPE = 141


def ended(words: tuple[str, ...], redirected: str) -> tuple[int, str]:
    """The exit code, and what the whole line of a shell said on standard error."""
    line = f'"$0" -m cli "$@" {redirected}'
    shell = ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}", sys.executable, *words]
    done = subprocess.run(
        shell, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def unread(words: tuple[str, ...], *, errors_too: bool = False) -> tuple[int, str]:
    """The same for a command whose output goes into a pipe that was closed before at its other end."""
    reads, writes = os.pipe()
    os.close(reads)
    errors = writes if errors_too else subprocess.PIPE
    command = [sys.executable, "-m", "cli", *words]
    with subprocess.Popen(command, stdout=writes, stderr=errors, text=True, cwd=ROOT) as running:
        os.close(writes)
        _, said = running.communicate(timeout=60)
    return running.returncode, said or ""


@pytest.mark.parametrize("words", WORDY, ids=lambda words: " ".join(words[:2]).replace(CT, "FILE"))
def test_nobody_reads_any_more(words: tuple[str, ...]) -> None:
    assert unread(words) == (SIGPIPE, "")


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_nobody_reads_the_help_of_a_command(words: tuple[str, ...]) -> None:
    assert unread((*words, "--help")) == (SIGPIPE, "")


def test_the_first_lines_are_read() -> None:
    """A table longer than what a pipe takes."""
    big = str(get_testdata_file("DICOMDIR", download=False))
    assert ended(("tags", big), "| head -n 1 >/dev/null") == (SIGPIPE, "")


def test_nobody_reads_the_errors() -> None:
    assert unread(("frobnicate",), errors_too=True) == (SIGPIPE, "")


def test_a_disk_that_is_full() -> None:
    for words in WORDY:
        assert ended(words, ">/dev/full") == (8, "Error: No space left on device\n"), words


def test_an_error_that_no_program_can_be_told() -> None:
    code, said = ended(("plan", "-f", "none.yaml", "--json"), ">/dev/full")
    assert code == 8
    assert "none.yaml" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("words", WORDY[:4], ids=lambda words: " ".join(words[:2]).replace(CT, "FILE"))
def test_an_output_that_was_never_open(words: tuple[str, ...]) -> None:
    assert ended(words, ">&-") == (0, "")
    assert ended(words, "<&- >&- 2>&-") == (0, "")


def test_a_connection_that_breaks_off_is_no_closed_output() -> None:
    """It was taken for one, and ended the command without a word."""
    program = (
        "import cli.main, cli.community\n"
        "def broken(**_): raise BrokenPipeError(32, 'Broken pipe')\n"
        "cli.community.schema.callback = broken\n"
        "cli.main.run(['schema'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stderr) == (8, "Error: a connection broke off\n")
