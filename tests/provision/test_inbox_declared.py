"""An inbox for import: declared of a branch, told to its appliance, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.declaring.reading import parse
from provision.enrolling.enrolment import wait_until_ready
from provision.fleet.visitor import visiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office


def test_an_inbox_is_declared_told_and_taken_back(new_office: Callable[..., Office], example_text: str) -> None:
    office = new_office(driver="process")
    office.apply()
    assert wait_until_ready(office.desk, office.community, 120).ready
    assert allowed(office) == {"erode": False, "salem": False, "karur": False}
    staff = "    staff: {dr.anbu: doctor, r.devi: radiographer}\n"
    text = example_text.replace(staff, f"{staff}    inbox: true\n")
    steps = [(step.action, step.ref.key, [each.field for each in step.changes]) for step in office.plan(text)]
    assert steps == [("update", "erode", ["inbox"])]
    assert not office.apply(text).after
    assert allowed(office) == {"erode": True, "salem": False, "karur": False}
    with visiting(office.desk, parse(text), "127.0.0.1"):
        assert allowed(office)["erode"], "a visitor leaves it as it is"
    assert not office.plan(text)
    assert not office.apply(example_text).after
    assert not any(allowed(office).values())


def allowed(office: Office) -> dict[str, bool]:
    """What the settings that are published say of each branch."""
    return {name: each.inbox for name, each in office.found().view.published.settings.items()}
