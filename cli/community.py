"""The commands that change a community: plan, apply and destroy; and the schema of its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from cli.branch import fail_for
from cli.consent import consent
from cli.console import print_json, progress_bar, progress_console, results
from cli.desk import ALLOW, JSON, TAKE_OVER, YES, at_desk, planned
from cli.inviting import never_lost

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from rich.progress import Progress as ProgressBar
    from rich.progress import TaskID

    from cli.desk import Where
    from provision.applying.apply import Applied
    from provision.applying.take import Progress
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.enrolling.enrolment import Enrolment
    from provision.enrolling.published import NewInvitation
    from provision.planning.plan import Plan
    from provision.upload.sending import Sent


@click.command()
@at_desk
@JSON
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit with 2 where there are changes, with 0 where there are none."
)
def plan(where: Where, *, as_json: bool, detailed_exitcode: bool) -> None:
    """Show what apply would change in the cloud; nothing is changed."""
    community, desk = where.opened()
    the_plan = planned(desk, community)
    show(the_plan, as_json=as_json)
    if detailed_exitcode and the_plan:
        raise click.exceptions.Exit(2)


@click.command()
@at_desk
@JSON
@YES
@ALLOW
@TAKE_OVER
@click.option("--rollback", is_flag=True, help="Take away again what was made of a new branch that cannot be finished.")
@click.option("--wait/--no-wait", help="Wait until every appliance is enrolled and answers.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0),
    default=600.0,
    show_default=True,
    help="How long to wait, in seconds.",
)
@click.option("--rekey", multiple=True, metavar="BRANCH=FINGERPRINT", help="Take a branch's changed keys (repeatable).")
def apply(
    where: Where, allow: tuple[str, ...], timeout_s: float,
    rekey: tuple[str, ...], *, as_json: bool, yes: bool, wait: bool, take_over: bool, rollback: bool,
) -> None:  # fmt: skip
    """Make the cloud what the community file declares, and enrol its appliances."""
    from provision.applying.apply import refuse

    community, desk = where.opened()
    new_keys = pairs(rekey)
    known(new_keys, community.branches, "--rekey")
    the_plan = planned(desk, community)
    known(allow, {*community.branches, *(step.branch for step in the_plan)}, "--allow-destroy")
    if not as_json:
        show(the_plan, as_json=False)
    refuse(the_plan, frozenset(allow))
    if the_plan and not consent("Apply?", yes=yes, as_json=as_json):
        return
    with never_lost(desk, as_json=as_json):
        applied = carried_out(desk, the_plan, allow, take_over=take_over, rollback=rollback, quiet=as_json)
        enrolment = enrolled(desk, community, applied.after, new_keys, timeout_s if wait else None, quiet=as_json)
    report(applied, enrolment, as_json=as_json)
    fail_for({name: words for name, words in enrolment.refused.items() if name in new_keys}, "not enrolled")
    if wait and not enrolment.ready:
        from provision.errors import NotReady

        late = "; ".join(f"{branch.name}: {branch.words}" for branch in enrolment.branches if not branch.ready)
        raise NotReady(f"not ready: {late}")


@click.command()
@at_desk
@JSON
@YES
@ALLOW
@TAKE_OVER
def destroy(where: Where, allow: tuple[str, ...], *, as_json: bool, yes: bool, take_over: bool) -> None:
    """Remove all that Gurney made for a community. What lies in the exchange's folders stays."""
    from provision.applying.apply import refuse
    from provision.applying.destroy import plan_to_destroy
    from provision.planning.found import found

    community, desk = where.opened()
    now = found(desk, community.community)
    known(allow, {*community.branches, *(ref.branch for ref in now.resources)}, "--allow-destroy")
    the_plan = plan_to_destroy(now)
    if not as_json:
        show(the_plan, as_json=False)
    refuse(the_plan, frozenset(allow))
    if the_plan and not consent("Destroy all this?", yes=yes, as_json=as_json):
        return
    applied = carried_out(desk, the_plan, allow, take_over=take_over, quiet=as_json)
    if as_json:
        print_json({"steps": applied.steps, "plan_after": applied.after.to_json()})


@click.command()
def schema() -> None:
    """Print the JSON Schema of the community file, for editors to complete and check it."""
    from provision.declaring.reading import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def show(the_plan: Plan, *, as_json: bool) -> None:
    """Print a plan, for people or for programs."""
    if as_json:
        told = {name: list(getattr(the_plan, name)) for name in ("conditions", "foreign", "obstacles")}
        print_json({"community": the_plan.community, "changes": the_plan.to_json(), **told})
        return
    from cli.plan_view import plan_lines

    console = results()
    for line in plan_lines(the_plan):
        console.print(line)


def carried_out(
    desk: Desk, the_plan: Plan, allow: tuple[str, ...], *, take_over: bool, quiet: bool, rollback: bool = False
) -> Applied:
    """Apply a plan, with a bar that shows how far it is."""
    from provision.applying.apply import apply as carry_out

    if desk.identity.made:
        words = f"Making your identity, which opens your communities' keys: {desk.identity.path}. Keep it."
        progress_console().print(words)
    with progress_bar(quiet=quiet) as bar:
        task = bar.add_task("Applying", total=len(the_plan))

        def told(progress: Progress) -> None:
            bar.update(task, completed=progress.done, description=progress.words)

        if desk.uploads is not None:
            desk.uploads.on_progress = upload_bar(bar)
        return carry_out(desk, the_plan, told, allow=frozenset(allow), take_over=take_over, rollback=rollback)


def upload_bar(bar: ProgressBar) -> Callable[[str, Sent], None]:
    """What shows how many MiB of an image are on the front end."""
    tasks: dict[str, TaskID] = {}

    def told(name: str, sent: Sent) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(f"Uploading {name} (MiB)", total=sent.total >> 20)
        bar.update(tasks[name], completed=sent.done >> 20)

    return told


def enrolled(
    desk: Desk, community: Community, after: Plan, rekey: dict[str, str], timeout_s: float | None, *, quiet: bool
) -> Enrolment:
    """Enrol what has reported its keys; with a time, wait until all is ready."""
    from provision.enrolling.enrolment import enrol, wait_until_ready
    from provision.planning.found import NO_ONEGATE

    if timeout_s is None:
        return enrol(desk, community, rekey=rekey)
    console = progress_console()
    if not quiet and NO_ONEGATE in after.conditions:
        console.print(
            "Waiting until the appliances run; then enrol them: gurney branch enrol " + " ".join(community.branches)
        )

    def told(progress: Progress) -> None:
        if not quiet:
            console.print(progress.words, markup=False)

    return wait_until_ready(desk, community, timeout_s, told, rekey=rekey)


def report(applied: Applied, enrolment: Enrolment, *, as_json: bool) -> None:
    """Print what was done, and the invitations, which are shown this once."""
    invitations = [*applied.invitations, *enrolment.invitations]
    if as_json:
        print_json(report_for_programs(applied, enrolment, invitations))
        return
    from cli.plan_view import invitation_table, status_table

    console = results()
    console.print(f"{applied.steps} steps done." if applied.steps else "Nothing to change.")
    console.print(status_table(enrolment.branches, applied.after))
    if invitations:
        console.print(invitation_table(invitations))
    for note in applied.notes:
        console.print(note, markup=False)


def report_for_programs(applied: Applied, enrolment: Enrolment, invitations: list[NewInvitation]) -> dict[str, Any]:
    """What was done, as one object."""
    return {
        "steps": applied.steps,
        "plan_after": applied.after.to_json(),
        "branches": [vars(branch) for branch in enrolment.branches],
        "invitations": [vars(invitation) for invitation in invitations],
        "directory_version": enrolment.directory_version,
        "notes": list(applied.notes),
    }


def pairs(rekey: tuple[str, ...]) -> dict[str, str]:
    """Branch to fingerprint, from what was written as BRANCH=FINGERPRINT."""
    for each in rekey:
        if "=" not in each:
            raise click.BadParameter(f"{each!r} is not BRANCH=FINGERPRINT", param_hint="--rekey")
    return dict(each.split("=", 1) for each in rekey)


def known(names: Iterable[str], branches: Container[str], option: str) -> None:
    """Refuse a branch that is neither declared nor found: a slip of the pen would pass in silence."""
    for name in names:
        if name not in branches:
            raise click.BadParameter(f"there is no branch {name!r}", param_hint=option)
