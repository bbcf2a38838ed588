"""What Gurney has to know of a kind of resource, and what a step of an apply works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from provision.applying.watch import Watch
from provision.enrolling.published import NewInvitation, Published
from provision.errors import NotCarried
from provision.planning.marks import Mark
from provision.planning.resource import places_of
from templates.rendering import NotCarriedError, render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from exchange.community import CommunityKeys
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.planning.resource import Existing, Ref, Resource
    from provision.planning.view import View

MERGE = 1
REPLACE = 0


def no_keys() -> CommunityKeys:
    """Before a community has keys, nothing asks for them."""
    raise AssertionError("no keys yet")


def nothing_newer() -> int:
    """No appliance knows of anything that is not known here."""
    return 0


@dataclass
class Act:
    """What the steps of one apply share: the desk, whose community it is, and the ids known so far."""

    desk: Desk
    community: str
    zone: int
    default_mode: str
    own_gid: int
    holding: int = -1
    unmeasured: frozenset[int] = frozenset()
    published: Published = field(default_factory=Published)
    opened_keys: Callable[[], CommunityKeys] = no_keys
    newest_directory: Callable[[], int] = nothing_newer
    ids: dict[Ref, int] = field(default_factory=dict)
    values: dict[Ref, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    recovery_file: Path | None = None
    invitations: list[NewInvitation] = field(default_factory=list)
    tell: Callable[[str], None] = lambda _words: None
    """Hears what a step that takes long is at."""

    def __post_init__(self) -> None:
        self.watch = Watch(self.desk.cloud)

    def call(self, method: str, *arguments: Any) -> Any:
        """Make one call; none any more once the apply is stopped, when another admin's may have begun."""
        self.watch.go_on()
        return self.desk.cloud.call(method, *arguments)

    def finish(self, method: str, *arguments: Any) -> Any:
        """Make the call without which nobody would know what the one before made; also once the apply is stopped."""
        return self.desk.cloud.call(method, *arguments)

    def id_of(self, ref: Ref) -> int:
        """The id of a resource that stands already, or of something that is known by its id alone."""
        return int(ref.key) if ref.kind.startswith("#") else self.ids[ref]

    def numbers_of(self, refs: Iterable[Ref]) -> str:
        """The ids of resources that stand already, as OpenNebula lists them."""
        return ",".join(str(number) for number in sorted(self.id_of(ref) for ref in refs))

    def text(self, template: str, resource: Resource, **values: Any) -> str:
        """The text of one of templates/opennebula, with the resource's mark."""
        mark = Mark(self.community, resource.ref.kind, resource.ref.key)
        try:
            return render(
                template,
                mark=mark,
                resource_name=resource.name,
                spec=resource.spec,
                id_of=self.id_of,
                numbers=self.numbers_of,
                values=self.values,
                **values,
            )
        except NotCarriedError as error:
            place = next(places_of(error.text, resource.spec), "")
            raise NotCarried(f"{resource}: {place}{': ' if place else ''}{error}") from error


class Setter(Protocol):
    """Brings fields about: given the declared resource, its id, and how it was found (None when it was just made)."""

    def __call__(self, act: Act, resource: Resource, number: int, found: Existing | None, /) -> None:
        """Make the calls."""
        ...


def never(_resource: Resource, _view: View) -> bool:
    """It waits for nothing."""
    return False


def whole(resource: Resource, _view: View) -> Resource:
    """All of it can be had."""
    return resource


@dataclass(frozen=True)
class Kind:
    """One kind of resource.

    Attributes
    ----------
    name
        The word for it, which is also the kind in its mark.
    declared
        The resources of this kind that a community declares.
    found
        The resources of this kind that stand already.
    create
        Makes one and returns its id; what it leaves out stands in `later`.
    in_place
        Field to what changes it without making the object anew. Two fields may share one function, which then runs
        once.
    later
        Fields that are set after the object was made.
    remove
        Takes it away; None where it goes with something else.
    replaceable
        Waits until all that stands can be used that the one needs which takes its place, before it is taken away.
    after
        Kinds that must stand before, beside those that the spec names.
    through
        Field to the kind of resource of the same branch through which it is changed.
    waits
        Whether one cannot be made yet, for something that is a condition and no drift.
    narrowed
        What of a declared one can be had in the cloud as it was found.
    tells
        Field to what people should know before it is changed where it stands.
    """

    name: str
    declared: Callable[[Community], Iterator[Resource]]
    found: Callable[[View], Iterator[Existing]]
    create: Callable[[Act, Resource], int]
    in_place: Mapping[str, Setter]
    later: tuple[str, ...] = ()
    remove: Callable[[Act, Existing], None] | None = None
    replaceable: Callable[[Act, Resource], None] | None = None
    after: tuple[str, ...] = ()
    through: Mapping[str, str] = field(default_factory=dict)
    waits: Callable[[Resource, View], bool] = never
    narrowed: Callable[[Resource, View], Resource] = whole
    tells: Mapping[str, str] = field(default_factory=dict)


def renaming(api: str) -> Setter:
    """What renames an object of an API."""

    def rename(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
        act.call(f"{api}.rename", number, resource.name)

    return rename


def marking(api: str) -> Setter:
    """What writes an object's mark."""

    def mark(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
        act.finish(f"{api}.update", number, act.text("mark", resource), MERGE)

    return mark


def handing(api: str) -> Setter:
    """What hands an object to its branch's group; the service user stays its owner."""

    def hand(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
        if resource.spec.group is not None:
            act.call(f"{api}.chown", number, -1, act.id_of(resource.spec.group))
        elif found is not None:
            act.call(f"{api}.chown", number, -1, act.own_gid)

    return hand


def permitting(api: str) -> Setter:
    """What sets an object's permissions, unless it was just made with them."""

    def permit(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
        mode = resource.spec.mode
        if found is not None or mode != act.default_mode:
            bits = [int(bool(int(digit) & right)) for digit in mode for right in (4, 2, 1)]
            act.call(f"{api}.chmod", number, *bits)

    return permit
