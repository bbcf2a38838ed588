"""What the community's authority puts into a directory: certificates, its own among them, and which are withdrawn."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from exchange.authority import BACKDATED, LIFETIME
from exchange.certificate import Certificate
from exchange.certification import certified
from exchange.revocation_list import RevocationList

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from exchange.authority import Authority
    from exchange.community import CommunityKeys
    from exchange.directory import Directory, DirectoryBranch

#: So many replaced authorities are remembered, and so many withdrawn certificates at most.
FORMER_MOST, WITHDRAWN_MOST = 16, 10_000


def vouched(directory: Directory, before: Directory | None, keys: CommunityKeys) -> Directory:
    """A directory that is about to be published, with all that the authority has to do with it.

    All certificates in it are of one authority: those of another are replaced for the same names and keys, so that a
    new authority takes over in one version. Where the keys hold no authority, all stays as it was.
    """
    if keys.authority is None:
        return replace(directory, authority=before.authority if before else "")
    now, community, authority = directory.issued, directory.community, keys.authority
    branches = tuple(_of_one_authority(directory.branches, authority, community, now))
    names = frozenset(name for each in branches if each.certificate for name in Certificate(each.certificate).names)
    roots = [Certificate(text) for text in (before.authority, before.next_authority) if text] if before else []

    def root_of(owner: Authority | None) -> str:
        if owner is None or not (names or roots):
            return ""
        present = next((root for root in roots if root.key_id == owner.key_id), None)
        return owner.root_like(present, community, names, now).text

    following = replace(
        directory,
        branches=branches,
        authority=root_of(authority),
        next_authority=root_of(keys.next_authority),
        former_authorities=_former(before, authority),
    )
    return replace(following, revocations=revocations_of(following, before, authority))


def was_replaced(authority: Authority | None, directory: Directory | None) -> bool:
    """Whether a directory says of an authority that another has taken its place: it may not come back."""
    former = directory.former_authorities if directory is not None else ()
    return authority is not None and any(Certificate(text).key_id == authority.key_id for text in former)


def revocations_of(directory: Directory, before: Directory | None, authority: Authority) -> str:
    """The revocation list for a directory: what the one before had and this one has no more, and what stood there.

    Of each branch one certificate is good at a time, that of the newest directory. An entry is left out once its
    certificate must have ended.
    """
    if not directory.authority:
        return ""
    now = directory.issued
    withdrawn = dict.fromkeys(_given_up(directory, before, authority), now) | _withdrawn_before(before, authority)
    recent = sorted(withdrawn.items(), key=lambda each: each[1], reverse=True)
    kept = dict(islice(((serial, at) for serial, at in recent if now - at < LIFETIME + BACKDATED), WITHDRAWN_MOST))
    return authority.revocation_list(directory.community, kept, directory.version, now, directory.expires).text


def _of_one_authority(
    branches: Iterable[DirectoryBranch], authority: Authority, community: str, now: datetime
) -> Iterator[DirectoryBranch]:
    for each in branches:
        strange = each.certificate and Certificate(each.certificate).issuer_key_id != authority.key_id
        yield certified(each, frozenset(), authority, community, now) if strange else each


def _former(before: Directory | None, authority: Authority) -> tuple[str, ...]:
    """The authorities that were replaced, the present one's predecessor last."""
    if before is None or not before.authority or Certificate(before.authority).key_id == authority.key_id:
        return before.former_authorities if before else ()
    return (*before.former_authorities, before.authority)[-FORMER_MOST:]


def _given_up(directory: Directory, before: Directory | None, authority: Authority) -> Iterator[int]:
    good = {each.certificate for each in directory.branches}
    for each in before.branches if before else ():
        if each.certificate and each.certificate not in good:
            certificate = Certificate(each.certificate)
            if certificate.issuer_key_id == authority.key_id:
                yield certificate.serial


def _withdrawn_before(before: Directory | None, authority: Authority) -> dict[int, datetime]:
    if before is None or not before.revocations:
        return {}
    known = RevocationList(before.revocations)
    return known.revoked if known.issuer_key_id == authority.key_id else {}
