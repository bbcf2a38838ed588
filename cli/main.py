"""The command `gurney`: finds the command that was asked for, runs it, and turns errors into exit codes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from cli.console import DOCUMENTED, print_json_line, printable
from cli.ending import HEARD, never_swallowed
from cli.failure import document_of, exit_code_of, words_of
from cli.output_closed import OutputClosed, give_up_unwritten, stand_in_for_missing, telling_closed_pipes

if TYPE_CHECKING:
    from collections.abc import Callable

BUG, INTERRUPTED = 1, 130


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
    "branch": Entry(
        "cli.branch:branch",
        "Enrol, revoke and list branches; invite people anew; show or replace the authority; discard stolen keys.",
    ),
    "appliance": Entry(
        "cli.appliance:appliance",
        "Build the image of appliances, run and check their service, look into those that run, and upgrade them.",
    ),
    "emulator": Entry("cli.emulator:emulator", "Run the embedded cloud."),
}

EXIT_CODES = """\b
Exit codes:
  0   done
  1   a fault of the program itself (please report it, with the traceback)
  2   wrong usage, or no front end or login named (and `plan --detailed-exitcode`: there are changes)
  3   the community file is wrong
  4   the cloud refused, or is not reachable
  5   a conversion failed
  6   an appliance refused, or could not do its work
  7   the exchange refused, or could not be read or written
  8   this machine refused: a full disk, a missing file, no permission
  9   the embedded cloud could not do its work
  130 interrupted
  141 nobody reads the output any more, as after `| head`

\b
With --json, a command that fails prints {"error": {"kind", "message", "exit_code", "facts"}} to standard
output where it has no other document to tell; the words are on standard error all the same.
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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is named; click would look for names like it among those that are imported."""
        try:
            return super().resolve_command(ctx, args)
        except click.NoSuchCommand as error:
            raise click.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def make_context(self, *given: Any, **extra: Any) -> click.Context:
        """The context of a command line, as click makes it."""
        with telling_closed_pipes():
            return super().make_context(*given, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run what was asked for, as click does."""
        with telling_closed_pipes():
            return super().invoke(ctx)

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
    stand_in_for_missing()
    if isinstance(sys.stdout, TextIOWrapper):  # what a terminal cannot show must not end a command
        sys.stdout.reconfigure(errors="backslashreplace")
    never_swallowed()
    code = exit_of(arguments)
    give_up_unwritten()
    if code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it has been heard; one that comes again must not change the code
        # CPython remembers a Ctrl-C that broke off code which a library ran from a text (PyRun_String, as pyrage does
        # when it is imported), and would end as killed by SIGINT; running any other text makes it forget.
        exec("")  # noqa: S102 - a constant
    sys.exit(code)


def exit_of(arguments: list[str] | None) -> Any:
    """The exit code of one command line; a bug keeps its traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        with telling_closed_pipes():
            return _ended(given)
    except OutputClosed as closed:
        return closed.exit_code


def _ended(given: list[str]) -> Any:
    DOCUMENTED.clear()
    try:
        code = gurney.main(args=given, prog_name="gurney", standalone_mode=False)
        sys.stdout.flush()
    except BaseException as error:
        told = _told(error, _Programs(asked=json_asked(given)))
        if told is None:
            raise
        return told
    return code


def json_asked(arguments: list[str]) -> bool:
    """Whether a program reads standard output; also where the rest of the command line is wrong."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in ours


class _Programs(NamedTuple):
    """The programs that read standard output, if any do."""

    asked: bool

    def told(self, error: BaseException, words: str, code: int) -> int:
        """Tell them the error where they have no document yet; its exit code."""
        if self.asked and not DOCUMENTED.is_set():
            with contextlib.suppress(OSError):  # as a full disk, which may be the error itself
                print_json_line(document_of(error, words, code))
        return code


def _told(error: BaseException, programs: _Programs) -> int | None:
    """Tell an error by its kind; its exit code, or None for a bug and for what asks for the end itself."""
    for kind, tell in TELLING.items():
        if isinstance(error, kind):
            return tell(error, programs)
    # A library in Rust panics when a Ctrl-C strikes while it is imported.
    return _interrupted(error, programs) if HEARD.is_set() else None


def _refused(error: click.ClickException, programs: _Programs) -> int:
    error.show()
    words = error.format_message()
    kind = click.UsageError if isinstance(error, click.UsageError) else type(error)
    return programs.told(kind(words), words, error.exit_code)


def _aborted(error: click.Abort, programs: _Programs) -> int:
    """A Ctrl-C, or a question to nobody, as in a job or of `</dev/null`."""
    if not isinstance(error.__context__, EOFError):
        return _interrupted(error, programs)
    wrong = click.UsageError("nobody can be asked here: say --yes")
    click.echo(f"\nError: {wrong.message}", err=True)
    return programs.told(wrong, wrong.message, wrong.exit_code)


def _interrupted(_error: BaseException, programs: _Programs) -> int:
    click.echo("Interrupted.", err=True)
    return programs.told(KeyboardInterrupt(), "Interrupted.", INTERRUPTED)


def _failed(error: Exception, programs: _Programs) -> int | None:
    words, code = words_of(error), exit_code_of(error)
    if code is None:
        programs.told(error, words, BUG)
        return None
    click.echo(f"Error: {printable(words)}", err=True)
    return programs.told(error, words, code)


TELLING: dict[type[BaseException], Callable[[Any, _Programs], int | None]] = {
    click.ClickException: _refused,
    click.Abort: _aborted,
    KeyboardInterrupt: _interrupted,
    Exception: _failed,
}
