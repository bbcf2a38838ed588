"""What is found against what is wanted: the steps between them, and what has to be made anew."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provision.kinds.table import KINDS
from provision.planning.resource import Change, Existing, Ref, Resource, differences, refs_in
from provision.planning.step import CREATE, DELETE, UPDATE, Step

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

#: Kinds whose loss loses patients' images.
PRECIOUS = frozenset({"archive"})
#: Kinds whose old one serves again, should the new one fail.
WAY_BACK = frozenset({"appliance-image"})


def steps_between(wanted: Mapping[Ref, Resource], existing: Mapping[Ref, Existing]) -> list[Step]:
    """The steps from what exists to what is wanted, in an order in which they can be taken."""
    changes = {ref: _changes(wanted[ref], existing[ref]) for ref in wanted if ref in existing}
    anew = _made_anew(wanted, existing, changes)
    steps: list[Step] = []
    for ref, resource in wanted.items():
        if ref not in existing or ref in anew:
            steps.append(_creation(resource, anew.get(ref, ""), _told(changes.get(ref, ()))))
        elif changes[ref]:
            steps.append(_change(resource, existing[ref], changes[ref]))
    gone = "it is no longer declared" if wanted else "all of the community is taken away"
    for ref, each in existing.items():
        if KINDS[ref.kind].remove is not None and (ref not in wanted or ref in anew):
            next_one = wanted[ref] if ref in anew else None
            before = _first_of_all(next_one, wanted, existing, anew) if next_one else frozenset()
            steps.append(
                Step(
                    DELETE, ref, each.name, None, each,
                    reason=anew.get(ref, gone), loses=_loss(each), successor=next_one, after=before,
                )
            )  # fmt: skip
    steps = list(_parted(steps))
    users = _users(steps)
    return in_order([replace(step, after=step.after | users[step.id]) for step in steps])


def _creation(resource: Resource, reason: str, changes: tuple[Change, ...]) -> Step:
    """The step that makes a resource; of one made anew it says in what it differs from the one that stands."""
    again = frozenset({(DELETE, resource.ref)}) if reason else frozenset()
    after = _needs(resource) | again
    return Step(CREATE, resource.ref, resource.name, resource, changes=changes, reason=reason, after=after)


def _told(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """The changes of values; a field that is only written anew, since what it names is, says nothing here."""
    return tuple(change for change in changes if change.old != change.new)


def _change(resource: Resource, existing: Existing, changes: tuple[Change, ...]) -> Step:
    tells = KINDS[resource.ref.kind].tells
    words = "; ".join(dict.fromkeys(tells[each.field] for each in changes if each.field in tells))
    return Step(UPDATE, resource.ref, resource.name, resource, existing, changes, reason=words, after=_needs(resource))


def _parted(steps: list[Step]) -> Iterator[Step]:
    """The steps; what changes a resource through one that is made meanwhile comes after that, as a step of its own."""
    made = {step.ref for step in steps if step.action == CREATE}
    for step in steps:
        if step.action != UPDATE:
            yield step
            continue
        through = {name: Ref(kind, step.key) for name, kind in KINDS[step.kind].through.items()}
        late = tuple(change for change in step.changes if through.get(change.field) in made)
        rest = tuple(change for change in step.changes if change not in late)
        if rest or not late:
            yield replace(step, changes=rest)
        if late:
            after = frozenset((CREATE, through[change.field]) for change in late)
            yield replace(step, changes=late, late=True, after=step.after | after)


def _changes(resource: Resource, existing: Existing) -> tuple[Change, ...]:
    """The fields that differ; name and mark only where the kind can change them."""
    can = KINDS[resource.ref.kind].in_place
    changes = list(differences(existing.spec, resource.spec))
    if "name" in can and existing.name != resource.name:
        changes.append(Change("name", existing.name, resource.name))
    if "key" in can and existing.marked_key not in {None, resource.ref.key}:
        changes.append(Change("key", existing.marked_key, resource.ref.key))
    return tuple(changes)


def _made_anew(
    wanted: Mapping[Ref, Resource], existing: Mapping[Ref, Existing], changes: dict[Ref, tuple[Change, ...]]
) -> dict[Ref, str]:
    """What cannot be changed where it stands, and why; what stands upon it follows, or is written anew."""
    anew: dict[Ref, str] = {}
    news = [(ref, _reason(ref, found)) for ref, found in changes.items() if _reason(ref, found)]
    while news:
        ref, reason = news.pop()
        anew[ref] = reason
        for other, resource in wanted.items():
            stands = ref in resource.refs and other in existing and other not in anew
            for name in _fields_naming(resource.spec, ref) if stands else ():
                value = getattr(resource.spec, name)
                if name in KINDS[other.kind].in_place:
                    changes[other] = (*changes[other], Change(name, value, value))
                else:
                    news.append((other, f"{ref} is made anew"))
    return anew


def _reason(ref: Ref, changes: tuple[Change, ...]) -> str:
    fixed = [change for change in changes if change.field not in KINDS[ref.kind].in_place]
    return ", ".join(f"{change.field} cannot be changed where it stands" for change in fixed)


def _fields_naming(spec: Any, ref: Ref) -> list[str]:
    return [name for name in spec.__dataclass_fields__ if ref in refs_in(getattr(spec, name))]


def _loss(existing: Existing) -> str:
    return f"all images of {existing.ref.key}, {existing.spec.size}" if existing.ref.kind in PRECIOUS else ""


def _needs(resource: Resource) -> frozenset[tuple[str, Ref]]:
    """The steps that must come before a resource can be made or changed."""
    named = {Ref("keys") if ref.kind == "keys" else ref for ref in resource.refs}
    beside = {Ref(kind, resource.ref.branch) for kind in KINDS[resource.ref.kind].after}
    return frozenset((CREATE, ref) for ref in named | beside)


def _first_of_all(
    resource: Resource, wanted: Mapping[Ref, Resource], existing: Mapping[Ref, Existing], anew: Container[Ref]
) -> frozenset[tuple[str, Ref]]:
    """What must stand before the old one is taken away: what only the new one needs, which may fail to be made.

    Not so what is itself made upon a thing that is made anew, and so has to wait until the old one lets go of that.
    """
    new = (each for each in _needs(resource) if each[1] not in existing and each[1].kind in KINDS)
    return frozenset((action, ref) for action, ref in new if not _stands_on(ref, wanted, anew))


def _stands_on(ref: Ref, wanted: Mapping[Ref, Resource], anew: Container[Ref]) -> bool:
    """Whether a resource needs one that is made anew, itself or through others."""
    needs = _needs(wanted[ref]) if ref in wanted else ()
    return any(other in anew or _stands_on(other, wanted, anew) for _, other in needs)


def _users(steps: list[Step]) -> dict[tuple[str, Ref], set[tuple[str, Ref]]]:
    """For each deletion: the steps that take their hands off what it deletes.

    What one can go back to stays until those that leave it are there again, unless it is itself made anew. Where what
    it stands on goes as well it cannot: not even until templates name the new one, which is made in the place of that.
    """
    going = {step.ref: step.existing for step in steps if step.action == DELETE}
    made = {step.ref for step in steps if step.action == CREATE}
    found: dict[tuple[str, Ref], set[tuple[str, Ref]]] = defaultdict(set)
    for step in steps if going else ():
        before = going.keys() & step.existing.refs if step.existing else frozenset()
        still = step.declared.refs if step.declared else frozenset()
        for ref in before - still - {step.ref if step.action == DELETE else None}:
            way_back, old = ref.kind in WAY_BACK, going[ref]
            falls = way_back and old is not None and bool(going.keys() & old.refs)
            if not (falls and step.action == UPDATE):
                found[DELETE, ref].add(step.id)
            if step.successor is not None and way_back and ref not in made and not falls:
                found[DELETE, ref].add((CREATE, step.ref))
    return found


def in_order(steps: list[Step]) -> list[Step]:
    """The same steps, each after those that it waits for, otherwise as they were."""
    left = {step.id: step for step in steps}
    result: list[Step] = []
    while left:
        ready = [step for step in left.values() if not (step.after & left.keys())]
        assert ready, f"steps wait for each other: {[str(step) for step in left.values()]}"
        result += ready
        for step in ready:
            del left[step.id]
    return result
