"""The evidence of an acceptance lies where its name says, and beside that of other days."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from provision.fleet.evidence import write_evidence

if TYPE_CHECKING:
    from pathlib import Path


def test_a_name_with_dots_is_kept_whole(tmp_path: Path) -> None:
    for day in ("2026.11.20", "2026.11.21"):
        told = {"community": "kongu", "cloud": "http://front-end:2633/RPC2", "at": day, "passed": True, "checks": []}
        write_evidence(tmp_path / f"evidence.{day}", told)
    names = [f"evidence.2026.11.{day}.{ending}" for day in (20, 21) for ending in ("html", "json")]
    assert sorted(each.name for each in tmp_path.iterdir()) == names
    assert json.loads((tmp_path / "evidence.2026.11.20.json").read_text())["at"] == "2026.11.20"
    assert "2026.11.20" in (tmp_path / "evidence.2026.11.20.html").read_text()
