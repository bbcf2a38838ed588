"""The acceptance of every branch, with appliances that run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cli.main import exit_of
from provision.enrolling.enrolment import wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.provision.conftest import Office


def test_every_branch_is_accepted_and_evidence_is_written(
    new_office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    office = new_office(driver="process")
    office.apply()
    assert wait_until_ready(office.desk, office.community, 120).ready
    office.enter(monkeypatch)
    evidence = tmp_path / "evidence"
    arguments = ["verify", "-f", "docs/examples/community.yaml", "--exchange", str(office.exchange)]
    assert exit_of([*arguments, "--evidence", str(evidence)]) in (0, None)
    told = json.loads(evidence.with_suffix(".json").read_text())
    assert told["passed"]
    assert len(told["checks"]) == 3 * 10
    assert "every check passed" in evidence.with_suffix(".html").read_text()
    assert office.plan().to_json() == [], "the visitor is gone"
