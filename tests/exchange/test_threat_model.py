"""The threat model names tests: each is there, so that no claim outlives its proof."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
MODEL = HERE.parent.parent / "docs" / "threat-model.md"


def test_each_test_that_the_threat_model_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", MODEL.read_text()))
    code = "".join(path.read_text() for path in HERE.parent.rglob("test_*.py"))
    there = set(re.findall(r"^def (test_\w+)", code, re.MULTILINE))
    assert len(named) > 100
    assert named <= there, sorted(named - there)
