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
    from collections.abc import Iterable, Iterator

    from exchange.community import CommunityKeys
    from exchange.directory import DirectoryBranch
    from provision.planning.view import View

#: In the community's Document: which authority's key signs certificates.
AUTHORITY_KEY = "GURNEY_AUTHORITY_KEY"


@dataclass(frozen=True, order=True)
class Due:
    """A branch that should get a certificate, and the names and addresses that it shall be for."""

    branch: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.branch} ({', '.join(self.names)})" if self.names else self.branch


def names_of(view: View, branch: str) -> frozenset[str]:
    """By which name and addresses an appliance is reached; empty while it has no VM.

    Only what a guest cannot write counts: the address of its card in the branch's own network, and its name. What a
    guest agent reports is believed where it is a loopback address, as VMs of the embedded cloud have: a certificate for
    that deceives nobody on another machine.
    """
    vm = view.appliances.get(branch)
    if vm is None:
        return frozenset()
    own = dict(view.ours("network")).get(branch)
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
    entries: Iterable[DirectoryBranch], wanted: Iterable[Due], keys: CommunityKeys, community: str
) -> list[DirectoryBranch]:
    """The entries, with new certificates for those that are due."""
    names = {each.branch: frozenset(each.names) for each in wanted}
    authority, now = keys.authority, datetime.now(UTC)
    return [
        certified(entry, names[entry.name], authority, community, now) if authority and entry.name in names else entry
        for entry in entries
    ]


def authority_of(
    entries: Iterable[DirectoryBranch], present: str, keys: CommunityKeys, community: str, now: datetime
) -> str:
    """The authority's certificate for a directory: the present one as long as it serves all of its branches."""
    if keys.authority is None:
        return present
    names = {name for entry in entries if entry.certificate for name in Certificate(entry.certificate).names}
    known = Certificate(present) if present else None
    return keys.authority.root_like(known, community, names, now).text if names or known else ""


def words_about(view: View, now: datetime) -> Iterator[str]:
    """A line for each certificate that is in the last third of its life, or has ended."""
    for name, entry in view.published.enrolled.items():
        if not entry.certificate:
            continue
        certificate = Certificate(entry.certificate)
        days, until = certificate.left(now).days, f"{certificate.until:%Y-%m-%d}"
        if days < 0:
            yield f"{name}: its TLS certificate ended on {until}: browsers and devices refuse it; apply renews it."
        elif certificate.is_old(now):
            yield f"{name}: its TLS certificate ends in {days} days, on {until}; apply renews it."


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
