"""When a branch's appliance gets a new certificate: its first, for new names or keys, and before the old one ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exchange.certificate import Certificate

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.authority import Authority
    from exchange.directory import DirectoryBranch


def is_due(entry: DirectoryBranch, names: frozenset[str], authority: str, now: datetime) -> bool:
    """Whether a branch should get a new certificate.

    Parameters
    ----------
    names
        By which it is reached, as far as is known; a certificate may hold more. Without any there is no first one.
    authority
        The key id of the community's authority; empty where it has none yet.
    """
    if entry.revoked or not entry.tls_key:
        return False
    if not entry.certificate:
        return bool(names)
    present = Certificate(entry.certificate)
    strange = present.issuer_key_id != authority or present.key != entry.tls_key
    return strange or not names <= present.names or present.is_old(now)


def certified(
    entry: DirectoryBranch, names: frozenset[str], authority: Authority, community: str, now: datetime
) -> DirectoryBranch:
    """The entry with a certificate that is not due: the present one, or a new one; none where it may have none."""
    if entry.revoked or not entry.tls_key:
        return replace(entry, certificate="")
    if not is_due(entry, names, authority.key_id, now):
        return entry
    wanted = names or Certificate(entry.certificate).names
    return replace(entry, certificate=authority.certify(community, entry.name, entry.tls_key, wanted, now).text)
