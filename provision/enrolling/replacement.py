"""Another certificate authority in place of the community's: announced before, or at once if its key may be stolen."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.certificate import Certificate
from exchange.revocation_list import RevocationList
from provision.enrolling.alone import alone
from provision.enrolling.certificates import AUTHORITY_KEY, is_half_replaced
from provision.enrolling.published import publish_directory
from provision.enrolling.restored import newest_directory
from provision.errors import ProvisionError
from provision.kinds.keys import relock
from provision.planning.found import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.community import CommunityKeys
    from exchange.directory import Directory
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.planning.found import Found


@dataclass(frozen=True)
class Authorities:
    """Who vouches for the community's appliances now, who shall next, and who did before."""

    directory_version: int
    present: Certificate
    coming: Certificate | None = None
    former: Certificate | None = None


def announce(desk: Desk, community: Community, *, take_over: bool = False) -> Authorities:
    """Make the next authority, and show its certificate to all beside the present one's; again changes nothing.

    Parameters
    ----------
    take_over
        Take the place of another admin's apply that is known to be dead.

    Raises
    ------
    ProvisionError
        The community has no authority yet.
    Busy
        Another admin applies.
    """
    with _alone(desk, community, take_over=take_over) as (now, keys, document):
        coming = keys.with_next_authority()
        if coming != keys:
            relock(desk, community, document, coming)
        if coming != keys or not _directory(now).next_authority:
            _publish(desk, now, coming)
        return authorities(found(desk, community.community))


def replace_authority(desk: Desk, community: Community, *, take_over: bool = False) -> Authorities:
    """Let another authority take over: the announced one, or a new one. One that was interrupted is finished.

    Its key is locked to the admins first; then one version of the directory has its certificate, and a certificate of
    it for every branch. From then on nobody who reads that directory believes the former one.

    Parameters
    ----------
    take_over
        Take the place of another admin's apply that is known to be dead.

    Raises
    ------
    ProvisionError
        The community has no authority yet.
    Busy
        Another admin applies.
    """
    with _alone(desk, community, take_over=take_over) as (now, keys, document):
        if not is_half_replaced(now.view.published.directory, now.view.key_text(AUTHORITY_KEY)):
            keys = keys.with_authority_replaced()
            relock(desk, community, document, keys)
        _publish(desk, now, keys)
        return authorities(found(desk, community.community))


def authorities(now: Found) -> Authorities:
    """The authorities as the directory has them; raises `ProvisionError` where it has none."""
    directory = _directory(now)
    coming, former = directory.next_authority, directory.former_authorities
    return Authorities(
        directory.version,
        Certificate.from_text(directory.authority),
        Certificate.from_text(coming) if coming else None,
        Certificate.from_text(former[-1]) if former else None,
    )


def revocation_list(desk: Desk, community: Community) -> RevocationList:
    """The authority's revocation list as the directory has it.

    Raises
    ------
    ProvisionError
        There is none yet.
    """
    directory = _directory(found(desk, community.community))
    if not directory.revocations:
        raise ProvisionError("the directory has no revocation list yet: it comes with the next version of it")
    return RevocationList(directory.revocations)


@contextmanager
def _alone(desk: Desk, community: Community, *, take_over: bool) -> Iterator[tuple[Found, CommunityKeys, int]]:
    """What stands, the keys and the id of their Document, while nobody else applies."""
    authorities(found(desk, community.community))
    with alone(desk, community.community, take_over=take_over) as now:
        document = dict(now.view.ours("keys"))[""]
        assert now.keys is not None, "who has an authority has keys"
        yield now, now.keys, document.id


def _publish(desk: Desk, now: Found, keys: CommunityKeys) -> None:
    """The directory once more; what of it the authority makes follows from the keys."""
    publish_directory(desk.store, keys, now.community, [], _directory(now).referrals, above=newest_directory(now))


def _directory(now: Found) -> Directory:
    directory = now.view.published.directory
    if directory is None or not directory.authority or now.keys is None:
        raise ProvisionError(
            "the community has no authority's certificate yet: it comes with the first enrolled branch"
        )
    return directory
