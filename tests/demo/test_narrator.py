"""What the demonstration tells while it goes, where nobody sees a live line."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cli.demo.narrator import Narrator
from tests.waiting import until

if TYPE_CHECKING:
    import pytest


def test_without_a_terminal_each_stretch_and_each_minute_has_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    heard = ""

    def said(words: str) -> bool:
        nonlocal heard
        heard += capsys.readouterr().err
        return words in heard

    with Narrator(minute_s=0.02) as narrator:
        narrator.begin("Waiting for [erode]")
        assert said("Waiting for [erode] …\n")
        until(lambda: said("min: Waiting for [erode]\n"), "a line while nothing happens")
        narrator.say("salem: it does not answer yet")
        until(lambda: said("min: salem: it does not answer yet\n"), "a line that says what is waited for")
        narrator.rest()
    assert said("✓ Waiting for [erode]\n")
    assert "narrator" not in {thread.name for thread in threading.enumerate()}


def test_a_road_that_is_not_walked_to_its_end_has_no_tick(capsys: pytest.CaptureFixture[str]) -> None:
    with Narrator() as narrator:
        narrator.begin("Starting")
    assert "✓" not in capsys.readouterr().err
