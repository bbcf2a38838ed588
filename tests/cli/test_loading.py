"""What the appliance's service loads: told file by file, and nothing that only its drawing processes need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def files() -> list[Path]:
    done = subprocess.run([sys.executable, "-m", "cli.loading"], check=True, capture_output=True, text=True)
    return [Path(line) for line in done.stdout.splitlines()]


def test_every_file_is_there_and_named_once(files: list[Path]) -> None:
    assert all(path.is_file() for path in files)
    assert files == sorted(set(files))


def test_what_the_service_loads_is_among_them(files: list[Path]) -> None:
    named = {"/".join(part for part in path.parts if part != "__pycache__").partition(".cpython")[0] for path in files}
    expected = (
        "/appliance/service",
        "/cli/appliance",
        "/fastapi/routing",
        "/sqlalchemy/orm/session",
        "/pynetdicom/ae",
        "/sqlite3/dbapi2",
    )
    assert [end for end in expected if not any(path.endswith(end) for path in named)] == []


@pytest.mark.parametrize("library", ["numpy", "requests", "rich", "pylibjpeg"])
def test_what_it_does_not_use_is_not(files: list[Path], library: str) -> None:
    assert [path for path in files if library in path.parts] == []


def test_nothing_that_draws_is_among_them(files: list[Path]) -> None:
    converter = {path.name.partition(".")[0] for path in files if "converter" in path.parts}
    assert {"layout", "part10"} <= converter
    assert not {"instance", "rendering", "writing", "window"} & converter
