"""The acceptance of every branch, with appliances that run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cli.main import exit_of
from cli.verify import run_name
from provision.enrolling.enrolment import wait_until_ready

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.provision.conftest import Office


@pytest.mark.slow
def test_every_branch_is_accepted_and_evidence_is_written(
    new_office: Callable[..., Office], example_text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
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
    other = tmp_path / "community.yaml"
    other.write_text(example_text.replace("{from: erode, to: [salem, karur]}", "{from: erode, to: [karur]}"))
    assert exit_of(["apply", "--yes", "--wait", "-f", str(other), "--exchange", str(office.exchange)]) in (0, None)
    arguments[2] = str(other)
    again = tmp_path / "evidence.2"
    assert exit_of([*arguments, "--evidence", str(again)]) in (0, None), "salem knows the patient of the first run"
    assert json.loads((tmp_path / "evidence.2.json").read_text())["passed"]


def test_a_patient_of_the_longest_branch_fits_into_its_attribute() -> None:
    """PS3.5 6.2: a Patient ID, LO, has 64 characters at most; no two runs have the same."""
    names = {run_name() for _ in range(3)}
    assert len(names) == 3
    assert all(len(f"GURNEY-VERIFY-{'X' * 31}-{name}") <= 64 for name in names)
