"""The directory in the exchange: who is in the community, and who may refer to whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exchange.certificate import Certificate
from exchange.certification import own_names
from exchange.directory import LIFETIME
from provision.enrolling.certificates import Due, due, names_of, with_certificates
from provision.enrolling.published import publish_directory, publish_settings
from provision.kind import Kind
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from exchange.directory import Directory
    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.planning.view import View


#: Clients refuse a certificate with any name that its authority may not vouch for (RFC 5280 6.1.3).
NEW_NAMES = (
    "a name that is new is in a new certificate of the authority: who has installed the one before has to install it "
    "as well, or that branch's pages are refused there"
)


@dataclass(frozen=True, order=True)
class Listing:
    """A branch as the directory shows it to the others."""

    name: str
    title: str
    ae_title: str

    def __str__(self) -> str:
        return f"{self.name} ({self.title}, {self.ae_title})"


@dataclass(frozen=True, order=True)
class Called:
    """The DNS names of a branch's own, which its certificate holds."""

    branch: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.branch} ({', '.join(self.names)})"


@dataclass(frozen=True)
class DirectoryEntries:
    """What of the directory is declared; keys come by enrolment.

    Attributes
    ----------
    fresh
        Whether half of its lifetime is left or more: once it has expired, new referrals wait. And whether its
        authority's certificate lasts.
    names
        The DNS names of branches' own, of those that have a certificate.
    certificates_due
        The branches that should get a certificate, with the name and addresses by which they are reached.
    standing_for
        What may be taken away only after the directory says so: the appliances that it names, and its keys.
    """

    branches: frozenset[Listing]
    referrals: frozenset[tuple[str, str]]
    names: frozenset[Called] = frozenset()
    fresh: bool = True
    certificates_due: frozenset[Due] = frozenset()
    standing_for: frozenset[Ref] = field(default=frozenset(), compare=False)


def declared(community: Community) -> Iterator[Resource]:
    """One directory, of all branches; those that are not enrolled yet are left out when it is compared."""
    declared = {community.first_name(name): each for name, each in community.branches.items()}
    branches = frozenset(Listing(name, each.title, each.ae_title) for name, each in declared.items())
    names = _called({name: each.names for name, each in declared.items()})
    spec = DirectoryEntries(branches, frozenset(community.pairs_by_first_name()), names)
    yield Resource(Ref("directory"), "directory", spec)


def found(view: View) -> Iterator[Existing]:
    """The directory that is published, unless it names nobody."""
    directory = view.published.directory
    if directory is not None and directory.branches:
        branches = frozenset(Listing(e.name, e.title, e.ae_title) for e in view.published.enrolled.values())
        now = datetime.now(UTC)
        fresh = directory.expires - now >= LIFETIME / 2 and not _has_old_authority(directory, now)
        present = [view.present_name(each.name) for each in directory.branches if not view.is_anothers(each.name)]
        named = frozenset({Ref("keys"), *(Ref("appliance", name) for name in present)})
        late = frozenset(due(view, now))
        names = _called({name: own_names(entry) for name, entry in view.published.enrolled.items()})
        spec = DirectoryEntries(branches, frozenset(directory.referrals), names, fresh, late, named)
        yield Existing(Ref("directory"), "directory", spec, directory.version, "")


def _called(names: Mapping[str, Iterable[str]]) -> frozenset[Called]:
    return frozenset(Called(branch, tuple(sorted(own))) for branch, own in names.items() if own)


def _has_old_authority(directory: Directory, now: datetime) -> bool:
    return bool(directory.authority) and Certificate(directory.authority).is_old(now)


def waits(_resource: Resource, view: View) -> bool:
    """Whether nobody is enrolled yet."""
    directory = view.published.directory
    return directory is None or not directory.branches


def narrowed(resource: Resource, view: View) -> Resource:
    """The same without branches that are not enrolled yet, and without names of those that can have no certificate."""
    enrolled = view.published.enrolled
    branches = frozenset(each for each in resource.spec.branches if each.name in enrolled)
    certified = {name for name, each in enrolled.items() if each.certificate or (each.tls_key and names_of(view, name))}
    names = frozenset(each for each in resource.spec.names if each.branch in certified)
    return replace(resource, spec=replace(resource.spec, branches=branches, names=names))


def create(_act: Act, _resource: Resource) -> int:
    """The first directory is published by enrolment, never by a step."""
    raise AssertionError("a directory without a branch")


def publish(act: Act, resource: Resource, _number: int, found: Existing | None) -> None:
    """Publish the next directory: who is no longer declared is revoked, and who is due for a certificate gets one."""
    listed = {each.name: each for each in resource.spec.branches}
    entries = [
        replace(entry, title=listed[name].title, ae_title=listed[name].ae_title)
        if name in listed
        else replace(entry, revoked=True, certificate="")
        for name, entry in act.published.enrolled.items()
    ]
    keys, referrals = act.opened_keys(), sorted(resource.spec.referrals)
    late = [each for each in (found.spec.certificates_due if found else ()) if each.branch in listed]
    called = {name: frozenset[str]() for name in listed}
    called |= {each.branch: frozenset(each.names) for each in resource.spec.names}
    entries = with_certificates(entries, late, keys, act.community, called)
    seen, above = act.published.directory, act.newest_directory()
    publish_directory(act.desk.store, keys, act.community, entries, referrals, seen=seen, above=above)


def remove(act: Act, _found: Existing) -> None:
    """Publish one that names nobody, and settings without staff: who comes again is new, not revoked, and is invited.

    Each branch's people go first, while the directory still tells to whose keys its settings are sealed.
    """
    directory = act.published.directory
    assert directory is not None
    store, keys = act.desk.store, act.opened_keys()
    for branch in directory.branches:
        if branch.name in act.published.settings:
            publish_settings(store, keys, act.community, branch.name, [], [])
    names = frozenset(branch.name for branch in directory.branches)
    publish_directory(store, keys, act.community, [], [], forgotten=names, above=act.newest_directory())


KIND = Kind(
    name="directory",
    declared=declared,
    found=found,
    waits=waits,
    narrowed=narrowed,
    create=create,
    in_place=dict.fromkeys(("branches", "referrals", "names", "fresh", "certificates_due"), publish),
    tells={"names": NEW_NAMES},
    after=("keys",),
    remove=remove,
)
