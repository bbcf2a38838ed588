"""What guests and the cloud say is shown as it stands: nothing of it is taken for markup."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

import cli.console
import cli.enrolling
from cli.console import progress_bar
from cli.enrolling import lines
from cli.plan_view import status_table
from cli.rehearse import show as show_scenes
from provision.fleet.branch_status import BranchStatus
from provision.fleet.rehearsal import Scene
from provision.planning.plan import Plan

ODD = "[/x] [red]all is well[/red] [fe80::1]"


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal, of which everything is kept that comes on it."""
    kept = io.StringIO()

    def console() -> Console:
        return Console(file=kept, force_terminal=True, width=240, highlight=False)

    monkeypatch.setattr(cli.console, "progress_console", console)
    monkeypatch.setattr(cli.enrolling, "progress_console", console)
    return kept


def test_a_line_of_a_branch(screen: io.StringIO) -> None:
    with lines(["erode"], quiet=False) as tell:
        tell("erode", ODD)
    assert ODD in screen.getvalue()


def test_a_progress_bar(screen: io.StringIO) -> None:
    with progress_bar() as bar:
        bar.add_task(ODD, total=1)
    assert ODD in screen.getvalue()


def test_the_table_of_branches() -> None:
    places = {"http": "http://[fe80::1]:8080", "dicom": "ERODE@[fe80::1]:11112"}
    status = BranchStatus("erode", 1, ODD, "fe80::1", **places, enrolled=True, ready=False, words=ODD)
    out = io.StringIO()
    Console(file=out, width=300).print(status_table([status], Plan("kongu", (), {}, ())))
    assert out.getvalue().count(ODD) == 2
    assert all(place in out.getvalue() for place in places.values())


def test_a_scene_of_a_host_with_an_odd_name(capsys: Any) -> None:
    show_scenes([Scene("host", ODD, (), (ODD,), 0, None, (ODD,))], as_json=False)
    assert capsys.readouterr().out.count(ODD) == 3
