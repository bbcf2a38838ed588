"""The commands that visit appliances over SSH: exec, logs, ssh and support-bundle."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.desk import JSON, at_desk, check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.desk import Where
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.visit.shell import Machine, Shell

SSH_PORT = 22

PORT = click.option("--port", type=click.IntRange(1, 65535), default=SSH_PORT, show_default=True, help="Port of SSH.")
IDENTITY = click.option("-i", "--identity", type=click.Path(exists=True, path_type=Path), help="Your private SSH key.")
HOST_KEY = click.option(
    "--host-key", "compared", metavar="SHA256:...", default="",
    help="Fingerprint of the machine's host key, as its console shows it; needed once for each branch.",
)  # fmt: skip
BRANCH = click.argument("branch")


@dataclass(frozen=True)
class Visit:
    """Which appliances an admin visits from where, and how SSH gets there."""

    where: Where
    port: int
    identity: Path | None
    compared: str

    def machines(self, names: Sequence[str]) -> list[Machine]:
        """Where the branches' appliances are, each once; all of them where none is named."""
        return self.machines_of(*self.where.opened(), names)

    def machines_of(self, community: Community, desk: Desk, names: Sequence[str]) -> list[Machine]:
        """Where they are in a community that was read before.

        Raises
        ------
        NotVisited
            A branch that is named has none; where none is named, it is among those that are visited in vain.
        """
        from provision.planning.found import found
        from provision.visit.machines import machines

        check_names(names, community)
        of = machines(
            community, found(desk, community.community), community.branches,
            port=self.port, identity=self.identity, compared=dict.fromkeys(community.branches, self.compared),
        )  # fmt: skip
        return [of[name].there() for name in dict.fromkeys(names)] or list(of.values())


def visiting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a visit over SSH, as its argument `visit`."""

    @at_desk
    @PORT
    @IDENTITY
    @HOST_KEY
    @wraps(command)
    def told(*, where: Where, port: int, identity: Path | None, compared: str, **others: Any) -> None:
        command(visit=Visit(where, port, identity, compared), **others)

    return told


@click.command("exec", context_settings={"ignore_unknown_options": True})
@visiting
@JSON
@click.option("-b", "--branch", "names", multiple=True, help="Only in this branch (repeatable); else in all.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(visit: Visit, names: tuple[str, ...], command: tuple[str, ...], *, as_json: bool) -> None:
    """Run a command as root in appliances, several at once; each line says of which branch it is."""
    from cli.console import print_json
    from cli.enrolling import lines
    from provision.visit.rounds import visit_all

    machines = visit.machines(names)
    with lines([machine.name for machine in machines], quiet=as_json) as tell:
        visits = visit_all(machines, lambda shell: shell.run(" ".join(command)), tell)
    if as_json:
        unreached = {name: {"error": str(error)} for name, error in visits.failures.items()}
        print_json({name: vars(said) for name, said in visits.answers.items()} | unreached)
    else:
        for name, said in visits.answers.items():
            for line in (said.out + said.err).splitlines():
                click.echo(f"{name}: {line}")
    visits.check()
    fail_where([name for name, said in visits.answers.items() if said.code])


@click.command()
@visiting
@click.option("-n", "--lines", default=100, show_default=True, type=click.IntRange(1), help="How many of the newest.")
@BRANCH
def logs(visit: Visit, lines: int, branch: str) -> None:
    """Show what an appliance's service and boot have logged."""
    from provision.visit.shell import shell_in

    machine = visit.machines([branch])[0]
    with shell_in(machine) as shell:
        said = shell.run(f"journalctl --no-pager -o short-iso -n {lines} -u 'gurney*'")
    click.echo(said.out + said.err, nl=False)
    fail_where([branch] if said.code else [])


@click.command()
@visiting
@BRANCH
def ssh(visit: Visit, branch: str) -> None:
    """Log in at an appliance as root, with OpenSSH and the host key that is known."""
    from provision.visit.shell import shell_in

    machine = visit.machines([branch])[0]
    with shell_in(machine):
        pass  # the host key is compared, and kept, before OpenSSH is started
    options = {
        "HostKeyAlias": machine.host,
        "UserKnownHostsFile": quoted(machine.host_keys.path),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
    }
    words = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    own = ["-i", str(visit.identity)] if visit.identity else []
    os.execvp("ssh", ["ssh", *words, *own, "-p", str(visit.port), f"root@{machine.address}"])  # noqa: S606 - replaces us


def quoted(path: Path) -> str:
    """A path as OpenSSH reads it in an option that takes several, and expands tokens in them (ssh_config(5))."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


@click.command("support-bundle")
@visiting
@click.option(
    "-o", "--output", type=click.Path(path_type=Path),
    help="Where to write it: a file, or a folder for several branches.  [default: BRANCH.tar.gz here]",
)  # fmt: skip
@click.argument("branches", nargs=-1, required=True, metavar="BRANCH...")
def support_bundle(visit: Visit, output: Path | None, branches: tuple[str, ...]) -> None:
    """Gather what a support case needs of appliances, without patient data; several at once."""
    from cli.enrolling import lines
    from provision.visit.bundle import write_bundle
    from provision.visit.rounds import visit_all

    machines = visit.machines(branches)
    targets = targets_of(output, list(dict.fromkeys(branches)))

    def write(shell: Shell) -> Path:
        branch = shell.name.partition(".")[2]
        write_bundle(shell, branch, targets[branch])
        return targets[branch]

    with lines([machine.name for machine in machines], quiet=False) as tell:
        visits = visit_all(machines, write, tell)
    for target in visits.answers.values():
        click.echo(f"{target}: look at it before you hand it on")
    visits.check()


def targets_of(output: Path | None, branches: Sequence[str]) -> dict[str, Path]:
    """Branch to the file that its bundle is written to."""
    if len(branches) == 1:
        return {branches[0]: output or Path(f"{branches[0]}.tar.gz")}
    folder = output or Path()
    folder.mkdir(parents=True, exist_ok=True)
    return {branch: folder / f"{branch}.tar.gz" for branch in branches}


def fail_where(names: Sequence[str]) -> None:
    """End with an error where a command failed."""
    from provision.errors import ProvisionError

    if names:
        raise ProvisionError(f"the command failed in {', '.join(names)}")
