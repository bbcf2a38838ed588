"""When a branch's appliance gets a new certificate: its first, for new names or keys, and before the old one ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exchange.certificate import Certificate

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.authority import Authority
    from exchange.directory import DirectoryBranch


def is_due(
    entry: DirectoryBranch, reached: frozenset[str], authority: str, now: datetime, called: frozenset[str] | None = None
) -> bool:
    """Whether a branch should get a new certificate.

    Parameters
    ----------
    reached
        Its name and addresses, as far as known; a certificate may hold more. Without any there is no first one.
    authority
        The key id of the community's authority; empty where it has none yet.
    called
        The DNS names of its own that a certificate shall hold, and no others; None where nobody says.
    """
    if entry.revoked or not entry.tls_key:
        return False
    if not entry.certificate:
        return bool(reached)
    present = Certificate(entry.certificate)
    strange = present.issuer_key_id != authority or present.key != entry.tls_key
    otherwise = called is not None and own_names(entry) != called
    return strange or otherwise or not reached <= present.names or present.is_old(now)


def own_names(entry: DirectoryBranch) -> frozenset[str]:
    """The DNS names of a branch's own that its certificate holds."""
    return Certificate(entry.certificate).dns_names - {entry.name} if entry.certificate else frozenset()


def certified(
    entry: DirectoryBranch,
    reached: frozenset[str],
    authority: Authority,
    community: str,
    now: datetime,
    called: frozenset[str] | None = None,
) -> DirectoryBranch:
    """The entry with a certificate that is not due: the present one, or a new one; none where it may have none.

    What is not told of its names and addresses (`is_due` says how) stays as in the present certificate.
    """
    if entry.revoked or not entry.tls_key:
        return replace(entry, certificate="")
    if not is_due(entry, reached, authority.key_id, now, called):
        return entry
    own = own_names(entry)
    addresses = reached or Certificate(entry.certificate).names - own
    wanted = addresses | (own if called is None else called)
    return replace(entry, certificate=authority.certify(community, entry.name, entry.tls_key, wanted, now).text)
