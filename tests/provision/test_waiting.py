"""Waiting for appliances: what ends it, and what an admin is told."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from provision.declaring.reading import parse
from provision.enrolling.enrolment import wait_until_ready
from provision.vm_state import state_name
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.applying.take import Progress
    from tests.provision.conftest import Office

#: An appliance that answers and is not enrolled, in place of the whole service.
ANSWERING = """
import argparse, http.server, json
parser = argparse.ArgumentParser()
parser.add_argument("--context")
parser.add_argument("--address")
given, _ = parser.parse_known_args()
lines = [line.strip().split("=", 1) for line in open(given.context + "/context.sh") if "=" in line]
branch = {name: value.strip("'") for name, value in lines}["GURNEY_BRANCH"]
told = json.dumps({"branch": branch, "enrolled": False, "directory": 0, "settings": 0, "dicom": False}).encode()
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)
http.server.HTTPServer((given.address, 8080), Health).serve_forever()
"""


def test_without_onegate_it_ends_once_nothing_but_enrolling_by_hand_is_left(
    new_office: Callable[..., Office], example_text: str, tmp_path: Path
) -> None:
    program = tmp_path / "appliance.py"
    program.write_text(ANSWERING)
    office = new_office(onegate=False, driver="process", command=(sys.executable, str(program)))
    one_branch = parse(example_text[: example_text.index("  salem:")])
    office = replace(office, community=one_branch)
    office.apply()
    said: list[Progress] = []
    began = time.monotonic()
    enrolment = wait_until_ready(office.desk, office.community, 60, said.append)
    assert time.monotonic() - began < 50
    (branch,) = enrolment.branches
    assert not branch.ready
    assert "gurney branch enrol erode" in branch.words
    assert any("gurney branch enrol erode" in each.words for each in said)


def states(office: Office) -> list[str]:
    return sorted(state_name(vm) for vm in office.found().view.appliances.values())


def test_it_ends_once_nobody_who_is_late_runs(new_office: Callable[..., Office], example_text: str) -> None:
    """An admin has switched one off; what the other failed at is told."""
    office = new_office(faults=("boot:fail@2",))
    two = replace(office, community=parse(example_text[: example_text.index("  karur:")]))
    two.apply()
    until(lambda: states(two) == ["BOOT_FAILURE", "RUNNING"], "one that fails")
    late = wait_until_ready(two.desk, two.community, 0.2)
    assert any(branch.state == "RUNNING" for branch in late.branches), "one may come yet"
    began = time.monotonic()
    assert not wait_until_ready(two.desk, two.community, 300, all_needed=True).ready
    running = next(branch.vm_id for branch in late.branches if branch.state == "RUNNING")
    two.raw("vm.action", "poweroff", running)
    enrolment = wait_until_ready(two.desk, two.community, 300)
    assert time.monotonic() - began < 250
    assert sorted(branch.words.partition(":")[0] for branch in enrolment.branches) == [
        "its VM is BOOT_FAILURE",
        "its VM is POWEROFF",
    ]
    assert any("DEPLOY" in branch.words for branch in enrolment.branches)
