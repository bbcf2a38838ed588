"""The bar that `gurney convert` draws on a terminal, seen through a real one."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from typing import TYPE_CHECKING

from tests.converter.building import ct
from tests.converter.running import COMMAND, pngs, write

if TYPE_CHECKING:
    from pathlib import Path

# A command that takes a while, whatever the machine: each picture comes 0.1 s after the one before.
SLOW = """
import sys, time
from cli.convert import convert
import converter.batch
quick = converter.batch.convert_files
def slow(*arguments, **more):
    for result in quick(*arguments, **more):
        time.sleep(0.1)
        yield result
converter.batch.convert_files = slow
convert(sys.argv[1:], prog_name="gurney convert")
"""


def on_a_terminal(command: list[str]) -> str:
    """What a command writes to its terminal, without colours."""
    here, there = pty.openpty()
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    process = subprocess.Popen(command, stdout=there, stderr=there, stdin=there, env=environment)
    os.close(there)
    written = b""
    while True:
        try:
            more = os.read(here, 1 << 16)
        except OSError:  # EIO: the last one has closed it
            break
        if not more:
            break
        written += more
    os.close(here)
    process.wait(30)
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())


def test_a_bar_with_rate_and_remaining_time(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(1, 13):
        write(tmp_path / "in" / f"{number}.dcm", ct(number))
    program = [COMMAND[0], "-c", SLOW]
    shown = on_a_terminal([*program, str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--workers", "0"])
    assert re.search(r"\d+/12 files, \d+ pictures, \d+ a second, left \d:\d\d:\d\d", shown), shown
    assert "12/12 files" in shown
    assert "12 pictures written" in shown
    assert len(pngs(tmp_path / "out")) == 12


def test_no_bar_for_what_is_done_at_once_and_none_in_json(tmp_path: Path) -> None:
    path = write(tmp_path / "1.dcm", ct())
    assert on_a_terminal([*COMMAND, str(path), "-o", str(tmp_path / "out")]).strip() == "1 picture written"
    slow = [COMMAND[0], "-c", SLOW, *[str(path)] * 8, "-o", str(tmp_path / "more"), "--json", "--workers", "0"]
    assert "files" not in on_a_terminal(slow)
