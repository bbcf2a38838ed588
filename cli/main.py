"""The command `gurney`: finds the command that was asked for, runs it, and turns errors into exit codes."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any, NamedTuple

import click

from cli.ending import HEARD, never_swallowed
from cli.failure import exit_code_of, words_of

INTERRUPTED = 130


class Entry(NamedTuple):
    """Where a command lives, and the line that `gurney --help` shows without importing it."""

    place: str
    help: str


COMMANDS: dict[str, Entry] = {
    "demo": Entry(
        "cli.demo.command:demo", "Walk the whole road on the embedded cloud, from a community file to a referral."
    ),
    "plan": Entry("cli.community:plan", "Show what apply would change in the cloud."),
    "apply": Entry("cli.community:apply", "Make the cloud what the community file declares."),
    "destroy": Entry("cli.community:destroy", "Remove what Gurney made for a community."),
    "status": Entry("cli.status:status", "Show each branch's appliance, quota and drift."),
    "verify": Entry("cli.verify:verify", "Try in every branch what must work and what must not; write evidence."),
    "rehearse": Entry("cli.rehearse:rehearse", "Say what happens when a host, the front end or an archive is lost."),
    "adopt": Entry("cli.adopt:adopt", "Take over an object of the cloud that Gurney did not make."),
    "credential": Entry("cli.credential:credential", "Write a new login token for a branch's cloud user."),
    "identity": Entry("cli.identity:identity", "Print your public key, which opens communities' keys; make one."),
    "schema": Entry("cli.community:schema", "Print the JSON Schema of the community file."),
    "refer": Entry("cli.refer:refer", "Refer a patient's images to another branch."),
    "convert": Entry("cli.convert:convert", "Convert DICOM to PNG."),
    "tags": Entry("cli.tags:tags", "Show the data elements of a DICOM file."),
    "branch": Entry("cli.branch:branch", "Enrol, revoke and list the branches of a community."),
    "appliance": Entry("cli.appliance:appliance", "Run a branch's appliance service."),
    "emulator": Entry("cli.emulator:emulator", "Run the embedded cloud."),
}

EXIT_CODES = """\b
Exit codes:
  0   done
  1   a fault of the program itself (please report it, with the traceback)
  2   wrong usage (and `plan --detailed-exitcode`: there are changes)
  3   the community file is wrong
  4   the cloud refused, or is not reachable
  5   a conversion failed
  6   an appliance refused, or could not do its work
  7   the exchange refused, or could not be read or written
  8   this machine refused: a full disk, a missing file, no permission
  9   the embedded cloud could not do its work
  130 interrupted
"""


class Commands(click.Group):
    """Commands that are imported when they are asked for, so that `gurney --help` costs no more than click."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names of the commands, in the order in which a user meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of a name; its module is imported now."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name].place.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the list of commands from the table, without importing one."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])


@click.command(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gurney", prog_name="gurney")
def gurney() -> None:
    """Carry the patient's images between branch hospitals, on the community's own cloud."""


def run(arguments: list[str] | None = None) -> None:
    """Run the command line and leave the process with its exit code."""
    # OpenBLAS would start a thread for each processor: 50 ms of CPU at `import numpy`, and threads before a fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    never_swallowed()
    code = exit_of(arguments)
    if code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it has been heard; one that comes again must not change the code
        # CPython remembers a Ctrl-C that broke off code which a library ran from a text (PyRun_String, as pyrage does
        # when it is imported), and would end as killed by SIGINT; running any other text makes it forget.
        exec("")  # noqa: S102 - a constant
    sys.exit(code)


def exit_of(arguments: list[str] | None) -> Any:
    """The exit code of one command line; a bug keeps its traceback."""
    try:
        return gurney.main(args=arguments, prog_name="gurney", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort as error:
        return _unasked() if isinstance(error.__context__, EOFError) else _interrupted()
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        if (code := exit_code_of(error)) is None:
            raise
        click.echo(f"Error: {words_of(error)}", err=True)
        return code
    except BaseException:  # a library in Rust panics when a Ctrl-C strikes while it is imported
        if not HEARD.is_set():
            raise
        return _interrupted()


def _interrupted() -> int:
    click.echo("Interrupted.", err=True)
    return INTERRUPTED


def _unasked() -> int:
    """A question to nobody, as in a job or of `</dev/null`."""
    click.echo("\nError: nobody can be asked here: say --yes", err=True)
    return click.UsageError.exit_code
