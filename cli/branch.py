"""The commands that look after branches and their people: enrol, revoke, invite, list, the authority's certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.authority import authority
from cli.consent import consent
from cli.console import print_json, results
from cli.desk import JSON, YES, at_desk, check_names
from cli.discarding import discard_keys
from cli.group import Group
from cli.inviting import never_lost, show
from cli.table import Table
from cli.visit import IDENTITY, PORT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cli.desk import Where
    from cli.enrolling import Enrolled


NAMES = click.argument("names", nargs=-1, required=True, metavar="NAME...")


class OfBranch(click.ParamType[tuple[str, str]]):
    """`BRANCH=VALUE`, or `VALUE` alone where one branch is named."""

    name = "[BRANCH=]VALUE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:  # noqa: ARG002 - click's signature
        """Split at the equals sign; neither kind of fingerprint holds one."""
        branch, _, rest = value.rpartition("=")
        return branch, rest


def by_branch(given: Sequence[tuple[str, str]], names: Sequence[str], option: str) -> dict[str, str]:
    """Branch to value; a value without a branch is for the only one."""
    if any(not branch for branch, _ in given) and len(names) > 1:
        raise click.BadParameter(f"{len(names)} branches are named: say {option} BRANCH=...", param_hint=option)
    told = {branch or names[0]: value for branch, value in given}
    if strangers := sorted(told.keys() - set(names)):
        raise click.BadParameter(f"{', '.join(strangers)} is not among the branches named", param_hint=option)
    return told


@click.group(cls=Group)
def branch() -> None:
    """Enrol, revoke and list branches; invite people anew; show or replace the authority; discard stolen keys."""


@branch.command()
@at_desk
@JSON
@PORT
@IDENTITY
@click.option(
    "--host-key", "host_keys", type=OfBranch(), multiple=True, metavar="[BRANCH=]SHA256:...",
    help="Fingerprint of a machine's SSH host key, as its console shows it; needed the first time (repeatable).",
)  # fmt: skip
@click.option(
    "--rekey", "rekeys", type=OfBranch(), multiple=True, metavar="[BRANCH=]FINGERPRINT",
    help="Take changed keys, or a revoked branch again: the fingerprint on its console (repeatable).",
)  # fmt: skip
@click.option("--ssh", "by_ssh", is_flag=True, help="Ask over SSH, even where the cloud has OneGate.")
@NAMES
def enrol(
    where: Where, port: int, identity: Path | None,
    host_keys: tuple[tuple[str, str], ...], rekeys: tuple[tuple[str, str], ...], names: tuple[str, ...],
    *, as_json: bool, by_ssh: bool,
) -> None:  # fmt: skip
    """Take branches' keys up into the directory, and publish their settings.

    Where the cloud has no OneGate, their appliances are asked over SSH, as root by your key. Only the first keys of a
    VM that `gurney apply` made are taken; changed ones need --rekey. Repeating it changes nothing.
    """
    from cli.enrolling import Ways, enrolled

    ways = Ways(port, identity, by_branch(host_keys, names, "--host-key"), by_ssh)
    work, rekey = where.opened(), by_branch(rekeys, names, "--rekey")
    with never_lost(work[1], as_json=as_json):
        done = enrolled(work, names, ways, rekey, quiet=as_json)
    if as_json:
        print_json(done.to_json())
    else:
        show_enrolled(done)
    fail_for(done.failures, "not enrolled")


@branch.command()
@at_desk
@JSON
@YES
@NAMES
def revoke(where: Where, names: tuple[str, ...], *, as_json: bool, yes: bool) -> None:
    """Take branches out of the community: nobody sends to them or takes anything of theirs any more.

    It takes effect at every appliance when it next reads the directory, within seconds. A branch comes back by
    `gurney branch enrol NAME --rekey FINGERPRINT`.
    """
    from provision.enrolling.revocation import revoke as publish_revocation

    community, desk = where.opened()
    if not consent(f"Revoke {', '.join(names)}?", yes=yes, as_json=as_json):
        return
    firsts = [community.first_name(name) if name in community.branches else name for name in names]
    version = publish_revocation(desk, community.community, firsts)
    if as_json:
        print_json({"revoked": list(names), "directory_version": version})
    else:
        results().print(f"Revoked in version {version} of the directory: {', '.join(names)}.")


@branch.command()
@at_desk
@JSON
@click.argument("name", metavar="BRANCH")
@click.argument("login")
def invite(where: Where, name: str, login: str, *, as_json: bool) -> None:
    """Make another code for a person who has forgotten the password, or whose code was lost or ran out.

    A code of before is worth nothing any more; a password holds until the new code is used. The code is shown this
    once, and good for 14 days, at the page of the branch's appliance (/invitation).
    """
    from provision.enrolling.inviting import invite_again

    community, desk = where.opened()
    check_names([name], community)
    with never_lost(desk, as_json=as_json):
        invite_again(desk, community, name, login)
    show(desk, as_json=as_json)


@branch.command("list")
@at_desk
@JSON
def show_list(where: Where, *, as_json: bool) -> None:
    """Show which branches the directory names, with their fingerprints and how long their certificates hold."""
    from provision.enrolling.listing import listed

    community, desk = where.opened()
    told = listed(desk, community)
    if as_json:
        print_json(told.to_json())
        return
    title = f"Directory of {told.community}, version {told.version}"
    made = Table(("branch", "state", "fingerprint of its keys", "VM", "TLS certificate until"), title)
    for each in told.branches:
        until = f"{each.certificate_until:%Y-%m-%d}" if each.certificate_until else ""
        made.add_row(each.name, each.state, each.fingerprint, str(each.vm_id) if each.fingerprint else "", until)
    results().print(made)
    if told.authority_fingerprint:
        results().print(f"The community's authority (SHA-256): {told.authority_fingerprint}")


branch.add_command(authority)
branch.add_command(discard_keys)


def show_enrolled(done: Enrolled) -> None:
    """Print who was enrolled, and the invitations, which are shown this once."""
    from cli.plan_view import invitation_table

    made = Table(("branch", "fingerprint of its keys"), f"Enrolled in version {done.directory_version}")
    for name, fingerprint in done.fingerprints.items():
        made.add_row(name, fingerprint)
    if done.fingerprints:
        results().print(made)
    if done.invitations:
        results().print(invitation_table(done.invitations))


def fail_for(failures: Mapping[str, str], what: str) -> None:
    """End with an error that names everyone who failed."""
    from provision.errors import ProvisionError

    if failures:
        raise ProvisionError(f"{what}:\n  " + "\n  ".join(f"{name}: {words}" for name, words in failures.items()))
