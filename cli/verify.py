"""The command `gurney verify`: the acceptance of every branch, with an evidence file."""

from __future__ import annotations

import secrets
import socket
import time
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from cli.console import print_json, progress_console, results
from cli.desk import JSON, at_desk, check_writable

if TYPE_CHECKING:
    from cli.acceptance import Check, Ward
    from cli.demo.branch import Branch, Session
    from cli.desk import Where
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.fleet.branch_status import BranchStatus
    from provision.fleet.visitor import Visitor


SETTINGS_WITHIN_S = 120.0


@click.command()
@at_desk
@JSON
@click.option("--evidence", type=click.Path(path_type=Path), default=Path("evidence"), show_default=True,
              help="Name of the evidence files; .json and .html are added.")  # fmt: skip
def verify(where: Where, evidence: Path, *, as_json: bool) -> None:
    """Try in every branch what must work, and what must not: echo, store, find, view, refer, isolation.

    A visitor is let into each branch for the time of the test. Each run leaves a small test image in each archive.
    """
    from provision.errors import NotReady
    from provision.fleet.evidence import write_evidence

    check_writable(evidence.parent, "--evidence")  # before the tests, which take minutes
    community, desk = where.opened()
    checks = accepted(desk, community, quiet=as_json)
    told = evidence_of(community, desk, checks)
    write_evidence(evidence, told)
    if as_json:
        print_json(told)
    failed = [f"{check.branch}: {check.name}: {check.words}" for check in checks if not check.passed]
    if failed:
        raise NotReady("not accepted: " + "; ".join(failed))
    if not as_json:
        results().print(f"{len(checks)} checks passed. Evidence: {evidence}.json and {evidence}.html")


def accepted(desk: Desk, community: Community, *, quiet: bool) -> list[Check]:
    """Every check of every branch; all branches take one check before any takes the next."""
    from cli.acceptance import CHECKS, tried

    with ExitStack() as stack:
        wards = made_ready(desk, community, stack)
        checks = []
        for name in CHECKS:
            for ward in wards:
                checks.append(tried(ward, name))
                say(checks[-1], quiet=quiet)
        return checks


def made_ready(desk: Desk, community: Community, stack: ExitStack) -> list[Ward]:
    """Every branch with a visitor logged in; the stack sees the visitors out."""
    from cli.demo.branch import Branch
    from provision.fleet.branch_status import statuses_of
    from provision.fleet.visitor import visiting
    from provision.planning.found import found

    now = found(desk, community.community)
    directory = now.view.published.directory
    statuses = {each.name: each for each in statuses_of(community, now)}
    folder = Path(stack.enter_context(TemporaryDirectory()))
    visitors = stack.enter_context(visiting(desk, community, own_address(statuses)))
    vouched = (directory.authority, directory.revocations) if directory is not None else ("", "")
    branches = {name: Branch(name, status.http, *vouched) for name, status in statuses.items()}
    sessions = {name: logged_in(branch, visitors[name]) for name, branch in branches.items()}
    for session in sessions.values():
        stack.callback(session.client.close)
    run = run_name()
    return [ward_of(community, name, statuses, sessions, folder, run) for name in statuses]


def run_name() -> str:
    """What tells a run from all others: to whom an earlier one referred its patient, knows that one for good."""
    return f"{datetime.now(UTC):%Y%m%d%H%M%S}{secrets.token_hex(2)}"


def say(check: Check, *, quiet: bool) -> None:
    """Tell a person how a check went."""
    from rich.markup import escape

    if not quiet:
        result = "[green]passed[/green]" if check.passed else "[red]failed[/red]"
        progress_console().print(result, escape(f"{check.branch} {check.name}: {check.words}"))


def ward_of(
    community: Community, name: str, statuses: dict[str, BranchStatus], sessions: dict[str, Session], folder: Path,
    run: str,
) -> Ward:  # fmt: skip
    """A branch made ready for its checks, with a patient of this run's own."""
    from cli.acceptance import Ward, allowed
    from cli.acceptance_image import acceptance_image
    from provision.fleet.visitor import AE_TITLE

    patient_id = f"GURNEY-VERIFY-{name.upper()}-{run}"  # 64 characters at most (PS3.5 6.2, LO)
    image = acceptance_image(folder / f"{name}.dcm", patient_id)
    others = {community.first_name(other): session for other, session in sessions.items() if other != name}
    return Ward(statuses[name], sessions[name], image, patient_id, AE_TITLE, others, allowed(community, name))


def logged_in(branch: Branch, visitor: Visitor) -> Session:
    """The visitor's session at a branch, once its appliance has read the settings."""
    from appliance.errors import ApplianceError
    from provision.fleet.visitor import LOGIN, ROLE

    end = time.monotonic() + SETTINGS_WITHIN_S
    while (branch.health().get("settings") or 0) < visitor.settings_version:
        if time.monotonic() > end:
            raise ApplianceError(f"{branch.name} has not read its settings within {SETTINGS_WITHIN_S:g} s")
        time.sleep(0.2)
    return branch.session(branch.accept(LOGIN, ROLE, visitor.code))


def own_address(statuses: dict[str, BranchStatus]) -> str:
    """The address of this machine, as the appliances see it."""
    first = next(iter(statuses.values())).address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((first, 9))
        return str(probe.getsockname()[0])


def evidence_of(community: Community, desk: Desk, checks: list[Check]) -> dict[str, Any]:
    """What was tried, where, when, and how it went."""
    return {
        "community": community.community,
        "cloud": desk.cloud.endpoint,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "passed": all(check.passed for check in checks),
        "checks": [asdict(check) for check in checks],
    }
