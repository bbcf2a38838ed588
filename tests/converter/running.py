"""`gurney convert`, run within the test or as a process."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from cli.convert import convert as command

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-c", "from cli.convert import convert; convert()"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def pngs(place: Path) -> list[Path]:
    return sorted(place.rglob("*.png"))


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content or b"")
    return path
