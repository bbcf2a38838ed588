"""A branch's settings in the exchange: its staff and its modalities. They wait until the branch is enrolled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exchange.settings import Modality
from provision.declaring.sizes import Size
from provision.enrolling.published import publish_settings
from provision.kind import Kind
from provision.planning.resource import Existing, Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.planning.view import View


MIB = 1 << 20


@dataclass(frozen=True, order=True)
class Member:
    """A person and what that person is."""

    login: str
    role: str

    def __str__(self) -> str:
        return f"{self.login} ({self.role})"


@dataclass(frozen=True, order=True)
class Device:
    """A device that may send images, and the port on which it listens, 0 where it does not."""

    ae_title: str
    host: str
    port: int = 0

    def __str__(self) -> str:
        return f"{self.ae_title}@{self.host}" + (f":{self.port}" if self.port else "")


@dataclass(frozen=True)
class BranchSettings:
    """What an appliance is told beside its context.

    Attributes
    ----------
    outbox
        How much each branch may have in its outbox; None for as much as there is room for.
    sealed_to_its_keys
        Whether the branch can open them: they are sealed to the key that the directory names.
    inbox
        Whether its staff may import files through a shared folder.
    """

    staff: frozenset[Member]
    modalities: frozenset[Device]
    outbox: Size | None = None
    sealed_to_its_keys: bool = True
    inbox: bool = False

    @property
    def outbox_bytes(self) -> int:
        """The same in bytes, 0 for no limit."""
        return self.outbox.mib * MIB if self.outbox else 0


def declared(community: Community) -> Iterator[Resource]:
    """The settings of each branch."""
    for name in community.branches:
        yield Resource(Ref("settings", name), community.first_name(name), declared_for(community, name))


def declared_for(community: Community, name: str) -> BranchSettings:
    """The settings of one branch."""
    branch = community.branches[name]
    staff = frozenset(Member(login, role) for login, role in branch.staff.items())
    devices = frozenset(Device(each.ae_title, str(each.host), each.port or 0) for each in branch.modalities)
    return BranchSettings(staff, devices, community.exchange.outbox, inbox=branch.inbox)


def found(view: View) -> Iterator[Existing]:
    """The settings that are published."""
    for first, settings in view.published.settings.items():
        name = view.present_name(first)
        if view.is_anothers(first):
            continue
        staff = frozenset(Member(each.login, each.role) for each in settings.staff)
        devices = frozenset(Device(each.ae_title, each.host, each.port or 0) for each in settings.modalities)
        entry = view.published.enrolled.get(first)
        opens = entry is None or settings.sealed_to == entry.keys.seal
        outbox = Size(settings.outbox_bytes // MIB) if settings.outbox_bytes else None
        spec = BranchSettings(staff, devices, outbox, opens, settings.inbox)
        yield Existing(Ref("settings", name), first, spec, settings.version, name)


def waits(resource: Resource, view: View) -> bool:
    """Whether the branch is not enrolled yet, so that nothing can be sealed to it."""
    return resource.name not in view.published.enrolled


def create(act: Act, resource: Resource) -> int:
    """Publish the first settings."""
    publish(act, resource, -1, None)
    return -1


def publish(act: Act, resource: Resource, _number: int, _found: Existing | None) -> None:
    """Publish settings anew; people who are new in them get an invitation."""
    spec: BranchSettings = resource.spec
    invitations = publish_settings(
        act.desk.store,
        act.opened_keys(),
        act.community,
        resource.name,
        [(member.login, member.role) for member in spec.staff],
        devices_of(spec),
        spec.outbox_bytes,
        inbox=spec.inbox,
    )
    told = [replace(each, branch=resource.ref.key) for each in invitations]
    act.invitations += told
    act.desk.invitations.extend(told)


def devices_of(spec: BranchSettings) -> list[Modality]:
    """The modalities as they are published."""
    return [Modality(each.ae_title, each.host, each.port or None) for each in sorted(spec.modalities)]


KIND = Kind(
    name="settings",
    declared=declared,
    found=found,
    waits=waits,
    create=create,
    in_place=dict.fromkeys(("staff", "modalities", "outbox", "sealed_to_its_keys", "inbox"), publish),
)
