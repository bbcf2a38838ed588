"""The command `gurney refer`: ask an appliance to refer a patient, and follow until all has arrived."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cli.console import print_json, progress_bar, progress_console, results
from cli.page_address import PageAddress, is_readable_on_the_way

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from appliance.client import ApplianceClient

Content = TypeVar("Content")
PASSWORD = "GURNEY_PASSWORD"  # noqa: S105 - the variable's name
LOOK_S = 0.5
UNDER_WAY = frozenset({"prepared", "sending", "sent"})


@click.command()
@click.option("--patient", required=True, metavar="ID", help="Patient ID, as the images say it.")
@click.option("--to", required=True, metavar="BRANCH", help="The branch that shall have the images.")
@click.option("--issuer", metavar="BRANCH", help="The branch that issued the Patient ID, where several did.")
@click.option(
    "--study", "studies", multiple=True, metavar="UID",
    help="Study Instance UID of a study to refer, once for each; all of the patient's where none is named.",
)  # fmt: skip
@click.option("--at", required=True, type=PageAddress(), help="The appliance's page, such as https://10.20.1.10.")
@click.option(
    "--ca", "authority", envvar="GURNEY_CA", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the certificate of the community's authority; else $GURNEY_CA, else whom this machine trusts.",
)  # fmt: skip
@click.option(
    "--crl", "revoked", envvar="GURNEY_CRL", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with that authority's revocation list, which is looked at then; else $GURNEY_CRL, else none is.",
)  # fmt: skip
@click.option("--login", required=True, metavar="NAME", help="A doctor's login at that appliance.")
@click.option(
    "--password-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help=f"File whose first line is the password; else ${PASSWORD}, else it is asked for.",
)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Follow until every image has arrived.")
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0),
    default=0,
    help="Seconds to follow for; 0 for as long as it takes.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the referral as one JSON document.")
def refer(
    *,
    patient: str,
    to: str,
    issuer: str | None,
    studies: tuple[str, ...],
    at: str,
    authority: Path | None,
    revoked: Path | None,
    login: str,
    password_file: Path | None,
    wait: bool,
    timeout_s: float,
    as_json: bool,
) -> None:
    """Refer a patient's images to another branch.

    Sends what that branch has not got of the patient yet; asked for twice, it follows the first referral. Where
    studies with the Patient ID name several people, it has to be said which are meant.
    """
    from appliance.client import ApplianceClient

    if not patient.strip():
        raise click.BadParameter("a Patient ID is needed", param_hint="--patient")
    with ApplianceClient(at, trusted(authority, revoked)) as client:
        if is_readable_on_the_way(at):
            _accept_clear(client, at)
        client.log_in(login, _password(password_file))
        referral_id = client.refer(patient, to, issuer, studies)["referral_id"]
        if wait:
            row = _follow(client, referral_id, timeout_s or float("inf"), quiet=as_json)
        else:
            row = client.referral(referral_id)
    _tell(row, as_json=as_json)
    _check(row, wait=wait)


def _accept_clear(client: ApplianceClient, at: str) -> None:
    """Say that others can read what follows; say nothing more to one that is asked over TLS."""
    from appliance.errors import ApplianceError

    if client.is_secure():
        raise ApplianceError(f"{at} takes no password in clear: give the https:// address of its page")
    progress_console().print("The connection is not encrypted: whoever is on the way can read the password.")


def trusted(authority: Path | None, revoked: Path | None = None) -> ssl.SSLContext | None:
    """Trust in the authorities of a file alone, but not in what a second file revokes; None where none is given."""
    from exchange.certificate import read_certificates
    from exchange.revocation_list import read_revocation_list
    from exchange.trust import trust_in

    if authority is None:
        if revoked is not None:
            raise click.BadParameter("a revocation list needs its authority beside it: give --ca", param_hint="--crl")
        return None
    roots = _content("--ca", authority, read_certificates)
    return trust_in(*roots, revoked=_content("--crl", revoked, read_revocation_list) if revoked is not None else None)


def _content(option: str, file: Path, read: Callable[[bytes], Content]) -> Content:
    from exchange.errors import ExchangeError

    try:
        return read(file.read_bytes())
    except ExchangeError as error:
        raise click.BadParameter(f"{file}: {error}", param_hint=option) from error


def _password(file: Path | None) -> str:
    """The password from a file, the environment or the keyboard; never from the command line, which others can list."""
    if file is not None:
        return _first_line(file)
    if password := os.environ.get(PASSWORD):
        return password
    if not (sys.stdin.isatty() or _has_terminal()):
        raise click.UsageError(f"nobody can be asked for the password here: give --password-file, or set ${PASSWORD}")
    answer: str = click.prompt("Password", hide_input=True, err=True)
    return answer


def _first_line(file: Path) -> str:
    try:
        line = file.read_text(encoding="utf-8").split("\n", 1)[0].rstrip("\r")
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{file} is no text", param_hint="--password-file") from error
    if not line:
        raise click.BadParameter(f"{file}: there is no password in its first line", param_hint="--password-file")
    return line


def _has_terminal() -> bool:
    """Whether the process has a terminal, where a password is asked for whatever standard input is."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _follow(client: ApplianceClient, referral_id: str, timeout_s: float, *, quiet: bool) -> dict[str, Any]:
    """Look at the referral until it has ended or the time is over, with a bar that shows its images."""
    deadline = time.monotonic() + timeout_s
    with progress_bar(quiet=quiet) as bar:
        row = client.referral(referral_id)
        task = bar.add_task(_stage(row), total=row["total"])
        while row["state"] in UNDER_WAY and time.monotonic() < deadline:
            bar.update(task, completed=row["arrived"], description=_stage(row))
            time.sleep(LOOK_S)
            row = client.referral(referral_id)
        bar.update(task, completed=row["arrived"], description=_stage(row))
    return row


def _stage(row: dict[str, Any]) -> str:
    if row["state"] == "sending":
        return f"writing parcel {row['parcels_written']} of {row['parcels']}"
    return {"prepared": "prepared", "sent": f"on its way to {row['to']}"}.get(row["state"], str(row["state"]))


def _tell(row: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(row)
        return
    reason = f" ({row['refused']})" if row["refused"] else ""
    results().print(
        f"{row['arrived']} of {row['total']} images arrived at {row['to']}: {row['state']}{reason}", markup=False
    )


def _check(row: dict[str, Any], *, wait: bool) -> None:
    """Let the exit code say whether all arrived."""
    from appliance.errors import ApplianceError

    if wait and row["state"] in UNDER_WAY:
        raise ApplianceError("not arrived in time: the referral goes on by itself, follow it with the same command")
    if row["state"] not in {*UNDER_WAY, "arrived"}:
        raise ApplianceError(f"the referral was {row['state']}: {row['refused']}")
    if row["state"] == "arrived" and row["arrived"] < row["total"]:
        raise ApplianceError(f"not all has arrived: {row['refused']}")
