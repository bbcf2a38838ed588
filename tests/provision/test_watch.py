"""`status --watch`: in place on a terminal, one look below the other elsewhere, a line of JSON each for programs."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.provision.conftest import Office

ROOT = Path(__file__).parents[2]
ESCAPE = "\x1b"
#: Cursor up, and erase a line: what renews a table in place (ECMA-48, CUU and EL).
IN_PLACE = "\x1b[1A\x1b[2K"


@pytest.fixture
def command(office: Office) -> tuple[list[str], dict[str, str]]:
    office.apply()
    words = ["status", "--watch", "--interval", "0.1", "--exchange", str(office.exchange), "-f"]
    environment = {
        "TERM": "xterm",
        "COLUMNS": "80",
    }
    example = ROOT / "docs" / "examples" / "community.yaml"
    return [sys.executable, "-m", "cli", *words, str(example)], {**os.environ, **office.environment, **environment}


def lines(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """The lines that come through a pipe; afterwards Ctrl-C ends it as it should."""
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        try:
            yield from watching.stdout
        finally:
            watching.send_signal(signal.SIGINT)
            watching.stdout.close()
            assert watching.wait(60) in {130, 141}


def test_into_a_pipe_each_look_stands_below_the_last_with_its_time(
    command: tuple[list[str], dict[str, str]],
) -> None:
    coming, times, text = lines(*command), 0, ""
    for line in coming:
        text += line
        times += bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00\n", line))
        if times == 3:
            break
    coming.close()
    assert ESCAPE not in text
    assert text.count(" erode ") == text.count(" karur ") == 2
    assert max(len(line) for line in text.splitlines()) > 80


def test_for_programs_each_look_is_a_line(command: tuple[list[str], dict[str, str]]) -> None:
    coming = lines([*command[0], "--json"], command[1])
    looks = [json.loads(next(coming)) for _ in range(3)]
    coming.close()
    assert [[branch["name"] for branch in look["branches"]] for look in looks] == [["erode", "salem", "karur"]] * 3
    assert all(datetime.fromisoformat(look["at"]).utcoffset() is not None for look in looks)


def test_on_a_terminal_the_table_is_renewed_in_place(command: tuple[list[str], dict[str, str]]) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command[0], env=command[1], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as watching:
        os.close(theirs)
        seen = ""
        while seen.count("karur") < 6:  # two tables a look at 80 columns
            seen += os.read(ours, 65536).decode(errors="replace")
        watching.send_signal(signal.SIGINT)
        while watching.poll() is None:  # what it still says has to be taken
            try:
                os.read(ours, 65536)
            except OSError:
                break
    os.close(ours)
    assert watching.returncode == 130
    assert IN_PLACE in seen
    assert not re.search(r"\d{4}-\d\d-\d\dT", seen)
