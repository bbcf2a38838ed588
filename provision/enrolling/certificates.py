"""The appliances' certificates, from the admin's side: for which names, which are due, and which soon end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING

from exchange.certificate import Certificate
from exchange.certification import certified, is_due
from provision.node import vectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exchange.community import CommunityKeys
    from exchange.directory import Directory, DirectoryBranch
    from provision.planning.view import View

#: In the community's Document: which authority's key signs certificates.
AUTHORITY_KEY = "GURNEY_AUTHORITY_KEY"


@dataclass(frozen=True, order=True)
class Due:
    """A branch that should get a certificate, and the name and addresses by which it is reached."""

    branch: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.branch} ({', '.join(self.names)})" if self.names else self.branch


def names_of(view: View, branch: str) -> frozenset[str]:
    """By which name and addresses an appliance is reached, by its name in the directory; empty while it has no VM.

    Only what a guest cannot write counts: the address of its card in the branch's own network, and its name. What a
    guest agent reports is believed where it is a loopback address, as VMs of the embedded cloud have: a certificate for
    that deceives nobody on another machine.
    """
    key = view.present_name(branch)
    vm = view.appliances.get(key)
    if vm is None:
        return frozenset()
    own = dict(view.ours("network")).get(key)
    cards = vectors(vm.attributes(), "NIC")
    addresses = {card.get("IP", "") for card in cards if own is not None and card.get("NETWORK_ID") == str(own.id)}
    reported = vm.text("MONITORING/GUEST_IP")
    return frozenset({branch, *addresses, reported if _is_loopback(reported) else ""} - {""})


def due(view: View, now: datetime) -> Iterator[Due]:
    """The branches of the directory that should get a certificate."""
    authority = view.key_text(AUTHORITY_KEY)
    for name, entry in view.published.enrolled.items():
        names = names_of(view, name)
        if is_due(entry, names, authority, now):
            yield Due(name, tuple(sorted(names)))


def with_certificates(
    entries: Iterable[DirectoryBranch],
    wanted: Iterable[Due],
    keys: CommunityKeys,
    community: str,
    called: Mapping[str, frozenset[str]],
) -> list[DirectoryBranch]:
    """The entries, with new certificates for those that are due.

    Parameters
    ----------
    wanted
        By which name and addresses they are reached, where that is known to have changed.
    called
        By branch, the DNS names of its own; whoever is not named keeps those that are in its certificate.
    """
    names = {each.branch: frozenset(each.names) for each in wanted}
    authority, now = keys.authority, datetime.now(UTC)
    if authority is None:
        return list(entries)
    return [
        certified(entry, names.get(entry.name, frozenset()), authority, community, now, called.get(entry.name))
        if entry.name in names or entry.name in called
        else entry
        for entry in entries
    ]


def words_about(view: View, now: datetime) -> Iterator[str]:
    """What is left to do about the authority; a line for each certificate that is in its last third, or has ended."""
    yield from _words_about_authority(view)
    for name, entry in view.published.enrolled.items():
        if not entry.certificate:
            continue
        certificate = Certificate(entry.certificate)
        days, until = certificate.left(now).days, f"{certificate.until:%Y-%m-%d}"
        if days < 0:
            yield f"{name}: its TLS certificate ended on {until}: browsers and devices refuse it; apply renews it."
        elif certificate.is_old(now):
            yield f"{name}: its TLS certificate ends in {days} days, on {until}; apply renews it."


def is_half_replaced(directory: Directory | None, authority: str) -> bool:
    """Whether the directory still has another authority than the one that signs, named by its key id."""
    standing = directory.authority if directory is not None else ""
    return bool(standing and authority) and Certificate(standing).key_id != authority


def _words_about_authority(view: View) -> Iterator[str]:
    directory = view.published.directory
    if is_half_replaced(directory, view.key_text(AUTHORITY_KEY)):
        yield (
            "The replacement of the community's authority was interrupted: apply finishes it, and so does "
            "`gurney branch authority --replace`."
        )
    elif directory is not None and directory.next_authority:
        yield (
            "The community's next authority is announced, SHA-256 "
            f"{Certificate(directory.next_authority).fingerprint}: have it installed where the present one is "
            "(/trust shows it), then `gurney branch authority --replace`."
        )


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
