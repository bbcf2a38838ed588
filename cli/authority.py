"""The command `gurney branch authority`: whom PCs, phones and devices shall trust, what is withdrawn, and a new one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.consent import consent
from cli.console import print_json
from cli.desk import JSON, TAKE_OVER, YES, at_desk

if TYPE_CHECKING:
    from cli.desk import Where
    from exchange.certificate import Certificate
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.enrolling.replacement import Authorities

ASKED = (
    "Replace the authority of {community}? Browsers and devices that trust the present one refuse the appliances until "
    "they have the new one."
)
LEFT_TO_DO = """\
Version {version} of the directory has the new authority and certificates of it; appliances take theirs up within
seconds of reading it (`gurney status` says who has not). Left to do by hand: install the new certificate on PCs, phones
and devices (/trust at each appliance has it), and remove the former one there."""


@click.command()
@at_desk
@JSON
@YES
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write it to a file (PEM) instead of printing it."
)
@click.option("--crl", is_flag=True, help="The revocation list instead: which certificates are good no longer.")
@click.option("--announce", is_flag=True, help="Make the next authority, and show its certificate beside this one's.")
@click.option(
    "--replace", is_flag=True, help="Let the announced authority take over, or a new one where none is announced."
)
@TAKE_OVER
def authority(
    where: Where, output: Path | None,
    *, as_json: bool, yes: bool, crl: bool, announce: bool, replace: bool, take_over: bool,
) -> None:  # fmt: skip
    """Print the certificate of the community's own authority, which PCs, phones and devices shall trust.

    It vouches for the appliances' pages (HTTPS) and for DICOM over TLS. It is public; compare its fingerprint.

    Its key was stolen, or may have been: --replace. To replace it without haste: --announce, have the next one
    installed, then --replace. Either can be repeated after an interruption, and goes on from there.
    """
    if crl + announce + replace > 1:
        raise click.UsageError("--crl, --announce and --replace exclude one another")
    if take_over and not announce | replace:
        raise click.UsageError("--take-over goes with --announce or --replace: what is only shown waits for nobody")
    work = where.opened()
    if crl:
        show_crl(*work, output, as_json=as_json)
        return
    if replace and not consent(ASKED.format(community=work[0].community), yes=yes, as_json=as_json):
        return
    told = asked(*work, announce=announce, replace=replace, take_over=take_over)
    shown = told.coming if announce and told.coming is not None else told.present
    write(shown.pem, output, told_otherwise=as_json)
    if as_json:
        print_json(of_authorities(told, shown))
    click.echo(f"SHA-256 fingerprint: {shown.fingerprint}", err=True)
    if replace:
        click.echo(LEFT_TO_DO.format(version=told.directory_version), err=True)


def asked(community: Community, desk: Desk, *, announce: bool, replace: bool, take_over: bool) -> Authorities:
    """The authorities as they stand, or after what was asked for."""
    from provision.enrolling import replacement
    from provision.planning.found import found

    if replace:
        return replacement.replace_authority(desk, community, take_over=take_over)
    if announce:
        return replacement.announce(desk, community, take_over=take_over)
    return replacement.authorities(found(desk, community.community))


def of_authorities(told: Authorities, shown: Certificate) -> dict[str, Any]:
    """The certificate that was asked for, and the fingerprints of those beside it."""
    coming, former = (each.fingerprint if each is not None else "" for each in (told.coming, told.former))
    return {
        "pem": shown.pem,
        "fingerprint_sha256": shown.fingerprint,
        "until": shown.until,
        "next_fingerprint_sha256": coming,
        "former_fingerprint_sha256": former,
        "directory_version": told.directory_version,
    }


def show_crl(community: Community, desk: Desk, output: Path | None, *, as_json: bool) -> None:
    """Print or write the revocation list."""
    from provision.enrolling.replacement import revocation_list

    found = revocation_list(desk, community)
    write(found.pem, output, told_otherwise=as_json)
    if as_json:
        revoked = [{"serial": f"{serial:x}", "since": since} for serial, since in sorted(found.revoked.items())]
        print_json({"pem": found.pem, "until": found.until, "revoked": revoked})
    click.echo(f"{len(found.revoked)} certificates are withdrawn; good until {found.until:%Y-%m-%d}.", err=True)


def write(pem: str, output: Path | None, *, told_otherwise: bool) -> None:
    """To a file, or to standard output where nothing else is told there."""
    if output is not None:
        output.write_text(pem, encoding="ascii")
    elif not told_otherwise:
        click.echo(pem, nl=False)
