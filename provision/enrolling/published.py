"""What the community has published in the exchange: its directory, and each branch's settings."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exchange import directory as directories
from exchange import places
from exchange import settings as all_settings
from exchange.errors import AlreadyThere, NoDirectory, NotThere
from exchange.invitation import invite
from exchange.vouching import vouched, was_replaced
from provision.errors import Busy, ProvisionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exchange.community import CommunityKeys
    from exchange.directory import Directory, DirectoryBranch
    from exchange.settings import Modality, Settings, StaffMember
    from exchange.store import Writer
    from exchange.versions import Latest


#: How often another admin may be first.
TRIES = 10

#: A file that stands so many versions above the newest is nobody's predecessor.
STRAY = 1_000_000


@dataclass(frozen=True)
class Published:
    """The newest of each that the community signed; nothing before its keys exist."""

    directory: Directory | None = None
    settings: dict[str, Settings] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def enrolled(self) -> dict[str, DirectoryBranch]:
        """The branches that the directory names, without the revoked ones."""
        branches = self.directory.branches if self.directory else ()
        return {branch.name: branch for branch in branches if not branch.revoked}


@dataclass(frozen=True)
class NewInvitation:
    """A person's invitation; the code is known here and nowhere else."""

    branch: str
    login: str
    role: str
    code: str
    expires: datetime


def published(store: Writer, community: str, keys: CommunityKeys) -> Published:
    """Read what is published."""
    latest = _directory(store, community, keys)
    if latest is None:
        return Published()
    found = {each.name: settings_as_published(store, keys, community, each.name) for each in latest.value.branches}
    settings = {name: each for name, each in found.items() if each is not None}
    return Published(latest.value, settings, latest.warnings)


def _directory(store: Writer, community: str, keys: CommunityKeys) -> Latest[Directory] | None:
    try:
        return directories.latest(store, community, keys.trusted, now=datetime.now(UTC))
    except NoDirectory:
        return None


def publish_directory(
    store: Writer,
    keys: CommunityKeys,
    community: str,
    branches: Iterable[DirectoryBranch],
    referrals: Iterable[tuple[str, str]],
    *,
    seen: Directory | None = None,
    forgotten: frozenset[str] = frozenset(),
    readmitted: frozenset[str] = frozenset(),
    above: int = 0,
) -> int:
    """Publish the next directory; returns its version. Another admin's, published meanwhile, is taken up.

    Parameters
    ----------
    seen
        The directory from which the entries were made. Of a branch whose entry is another by now, the keys and the
        certificate stay as they are now: they may have been replaced because they were stolen.
    forgotten
        Branches that it shall not name any more: if they come again, it is with a first key.
    readmitted
        Branches whose keys, or which themselves after a revocation, an admin takes by their fingerprint. Any other
        stays revoked, whatever was meant for it before the revocation was seen.
    above
        A version that appliances know, though the exchange may not hold it any more: they take none that is not higher.

    Raises
    ------
    Busy
        Other admins publish all the time, or one of them has replaced the authority since the keys were read.
    """
    wanted = {branch.name: branch for branch in branches}
    for _ in range(TRIES):
        now = datetime.now(UTC)
        latest = _directory(store, community, keys)
        before = latest.value if latest is not None else None
        if was_replaced(keys.authority, before):
            raise Busy("another admin has replaced the community's authority meanwhile: start again")
        known = before.branches if before else ()
        mine = list(_as_of_now(wanted.values(), seen, before, readmitted))
        kept = [branch for branch in known if branch.name not in wanted and branch.name not in forgotten]
        following = directories.Directory(
            community=community,
            version=next_version(store, places.DIRECTORY, max(above, before.version if before else 0)),
            issued=now,
            expires=now + directories.LIFETIME,
            branches=tuple(sorted((*mine, *kept), key=lambda branch: branch.name)),
            referrals=tuple(referrals),
        )
        with suppress(AlreadyThere):
            directories.publish(store, vouched(following, before, keys), keys.sign)
            return following.version
    raise Busy("other admins publish directories all the time: try again")


def _as_of_now(
    wanted: Iterable[DirectoryBranch], seen: Directory | None, now: Directory | None, readmitted: frozenset[str]
) -> Iterator[DirectoryBranch]:
    """The wanted entries; where one was changed since it was seen, its present one with what is wanted but keys.

    One that another admin has taken out altogether stays out.
    """
    for each in wanted:
        before, present = (directory.find(each.name) if directory else None for directory in (seen, now))
        if present == before or each.name in readmitted:
            yield each
        elif present is not None:
            revoked = present.revoked or each.revoked
            certificate = "" if revoked else present.certificate
            now_called = replace(present, title=each.title, ae_title=each.ae_title)
            yield replace(now_called, revoked=revoked, certificate=certificate)


def publish_settings(
    store: Writer,
    keys: CommunityKeys,
    community: str,
    branch: str,
    staff: Iterable[tuple[str, str]],
    modalities: Iterable[Modality],
    outbox_bytes: int = 0,
    *,
    inbox: bool = False,
    above: int = 0,
) -> list[NewInvitation]:
    """Publish a branch's next settings; returns the invitations of people who are new in them.

    They are sealed to the keys that the directory names when they are written, and written again where another admin
    has published other keys of the branch meanwhile. Their version is higher than `above`, which the branch may know.

    Raises
    ------
    ProvisionError
        The directory does not name the branch any more, or it is revoked: it is told nothing but that it has no people.
    Busy
        Other admins publish all the time.
    """
    wanted, devices = list(staff), tuple(modalities)
    invitations: list[NewInvitation] = []
    for _ in range(TRIES):
        key = sealing_key(store, keys, community, branch, even_revoked=not wanted)
        before = settings_as_published(store, keys, community, branch)
        members, news = _invited(branch, wanted, before)
        following = all_settings.Settings(
            community=community,
            branch=branch,
            version=next_version(store, places.settings_of(branch), max(above, before.version if before else 0)),
            staff=tuple(members),
            modalities=devices,
            sealed_to=key,
            outbox_bytes=outbox_bytes,
            inbox=inbox,
        )
        with suppress(AlreadyThere):
            all_settings.publish(store, following, keys.sign, [key, keys.seal.public])
            invitations += news
            if sealing_key(store, keys, community, branch, even_revoked=True) == key:
                return invitations
    raise Busy(f"other admins publish settings or keys of {branch} all the time: try again")


def sealing_key(store: Writer, keys: CommunityKeys, community: str, branch: str, *, even_revoked: bool) -> str:
    """The branch's key as the directory names it now."""
    latest = _directory(store, community, keys)
    entry = latest.value.find(branch) if latest is not None else None
    if entry is None or (entry.revoked and not even_revoked):
        raise ProvisionError(f"{branch} is not in the directory any more: it gets no settings")
    return entry.keys.seal


def next_version(store: Writer, folder: str, newest: int) -> int:
    """One more than the newest valid version, and than invalid ones that follow it: a name is never used again.

    Invalid ones are those of a community before this one, with other keys. A stray file far above is passed by: one
    above `9999999999.json` could not be named.
    """
    names = (entry.name.partition(".")[0] for entry in store.list(folder))
    following = newest + 1
    for number in sorted(int(name) for name in names if name.isdecimal()):
        if following <= number < following + STRAY:
            following = number + 1
    return following


def settings_as_published(store: Writer, keys: CommunityKeys, community: str, branch: str) -> Settings | None:
    """The newest settings of a branch; None where it has none."""
    try:
        return all_settings.latest(store, community, branch, keys.trusted, keys.seal).value
    except NotThere:
        return None


def _invited(
    branch: str, staff: Iterable[tuple[str, str]], before: Settings | None
) -> tuple[list[StaffMember], list[NewInvitation]]:
    """The staff, those who are known with their invitation of before, those who are new with one of their own."""
    known = {member.login: member for member in before.staff} if before else {}
    members: list[StaffMember] = []
    invitations: list[NewInvitation] = []
    for login, role in sorted(staff):
        if login in known:
            invitation = known[login].invitation
        else:
            code, invitation = invite(datetime.now(UTC))
            invitations.append(NewInvitation(branch, login, role, code, invitation.expires))
        members.append(all_settings.StaffMember(login=login, role=role, invitation=invitation))  # type: ignore[arg-type] # checked by pydantic
    return members, invitations
