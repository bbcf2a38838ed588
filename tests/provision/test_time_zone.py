"""The time zone that a community file names, on its way to what staff read."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from appliance.context import read_context
from provision.declaring.reading import parse
from provision.errors import DeclarationError
from provision.kinds.machine import found_machine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.conftest import Office

EVENING = "datetime(2026, 11, 21, 20, 15, tzinfo=UTC)"


def zones(office: Office) -> dict[str, str]:
    """By branch, what its VM's context says."""
    view = office.found().view
    machines = {name: found_machine(view, vm.attributes()) for name, vm in view.appliances.items()}
    told = {name: {each.name: str(each.value) for each in machine["context"]} for name, machine in machines.items()}
    return {name: context.get("GURNEY_TIME_ZONE", "") for name, context in told.items()}


def test_it_reaches_contexts_and_changes_where_machines_stand(office: Office, example_text: str) -> None:
    office.apply()
    office.until_running()
    assert zones(office) == {"erode": "", "salem": "", "karur": ""}
    text = "timezone: Asia/Kolkata\n" + example_text.replace("  erode:\n", "  erode:\n    timezone: Asia/Dhaka\n", 1)
    assert {(step.action, step.kind) for step in office.plan(text)} == {("update", "template"), ("update", "appliance")}
    assert not office.apply(text).after
    assert zones(office) == {"erode": "Asia/Dhaka", "salem": "Asia/Kolkata", "karur": "Asia/Kolkata"}
    assert not office.apply(example_text).after
    assert zones(office) == {"erode": "", "salem": "", "karur": ""}


@pytest.mark.parametrize("wrong", ["Kolkata", "IST-5:30", "/etc/passwd", "../../etc/passwd", "Asia/Kolkata\\nX=1", ""])
def test_what_is_no_zone_is_refused(wrong: str, example_text: str) -> None:
    with pytest.raises(DeclarationError, match="timezone"):
        parse(f'timezone: "{wrong}"\n' + example_text)


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("Asia/Kolkata", "2026-11-22 01:45"),
        ("", "2026-11-21 20:15 UTC"),
        ("Asia/Nowhere", "2026-11-21 20:15 UTC"),
        (":/etc/localtime", "2026-11-21 20:15 UTC"),
    ],
)
def test_a_page_shows_it(told: str, shown: str, tmp_path: Path) -> None:
    """In a process of its own: a zone is a process's."""
    lines = {"GURNEY_TIME_ZONE": told, "GURNEY_BRANCH": "erode", "GURNEY_COMMUNITY": "kongu", "VMID": "1"}
    lines |= {"GURNEY_AE_TITLE": "ERODE", "GURNEY_COMMUNITY_KEY": "k", "GURNEY_RECOVERY_KEY": "r"}
    (tmp_path / "context.sh").write_text("".join(f"{name}='{value}'\n" for name, value in lines.items()))
    zone = read_context(tmp_path, {"exchange": tmp_path, "outbox": tmp_path}).time_zone
    program = (
        "import sys; from datetime import UTC, datetime; from appliance.time_zone import live_in; "
        "from appliance.web.words import moment; "
        f"live_in({json.dumps(zone)}); print(moment({EVENING}), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"TZ": "UTC"}
    )
    assert done.stderr.strip() == shown
    assert ("is not known" in done.stdout) == (bool(told) and told != "Asia/Kolkata")
