"""What was found under a branch's former name, as what it is called now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provision.kinds.table import KINDS
from provision.planning.resource import Existing, Ref

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from provision.planning.resource import Resource


def renamed(
    found: Mapping[Ref, Existing], former: Mapping[str, str], wanted: Mapping[Ref, Resource]
) -> Iterator[tuple[Ref, Existing]]:
    """What was found, under the branches' present names."""
    present = {old: new for new, old in former.items()}
    called = {ref: Ref(ref.kind, _key(ref.key, present)) for ref in found}
    moves = {ref: now for ref, now in called.items() if now != ref and now in wanted and _is_free(now, found, wanted)}
    taken = frozenset(moves.values())
    for ref, each in found.items():
        if ref in moves:
            yield moves[ref], _moved(each, present)
        elif ref not in taken:
            yield ref, each


def _is_free(ref: Ref, found: Mapping[Ref, Existing], wanted: Mapping[Ref, Resource]) -> bool:
    """Whether nothing stands there but what a branch of that name, which is gone, has left in the exchange."""
    return ref not in found or (KINDS[ref.kind].remove is None and found[ref].name != wanted[ref].name)


def lost_names(declared: Iterable[Resource], found: Mapping[Ref, Existing]) -> Iterator[str]:
    """Branches of which the file does not say any more with which name they were made.

    The archive belongs to that name, its patients were issued by it, and all others know the branch by it.
    """
    groups = {each.name for ref, each in found.items() if ref.kind == "group"}
    for each in declared:
        standing = found.get(each.ref) if each.ref.kind == "group" else None
        if standing is not None and standing.name != each.name:
            name, first = each.ref.key, standing.name.partition(".")[2]
            if each.name in groups:
                yield (
                    f"branch {name}, made as {first}, still stands, and another that was made as "
                    f"{each.name.partition('.')[2]} shall be called so: take {name} away first, in an apply of its own"
                )
                continue
            words = f"write `was: {first}` into it" if first != name else "leave `was:` out of it"
            yield (
                f"branch {name} was made as {first}, which its archive, its patients and the other branches go by (and "
                f"its group, {standing.name}): {words}, and leave that there, or its appliance serves nobody"
            )


def _key(key: str, present: Mapping[str, str]) -> str:
    """A key, `branch` or `branch.login`, with the name that the branch has now."""
    branch, dot, rest = key.partition(".")
    return f"{present.get(branch, branch)}{dot}{rest}"


def _moved(each: Existing, present: Mapping[str, str]) -> Existing:
    now = Ref(each.ref.kind, _key(each.ref.key, present))
    return replace(each, ref=now, spec=_in_new_names(each.spec, present))


def _in_new_names(value: Any, present: Mapping[str, str]) -> Any:
    """A spec whose references name branches as they are called now."""
    if isinstance(value, Ref):
        return Ref(value.kind, _key(value.key, present)) if value.kind in KINDS else value
    if isinstance(value, tuple | frozenset):
        return type(value)(_in_new_names(each, present) for each in value)
    if hasattr(value, "__dataclass_fields__"):
        return replace(
            value, **{name: _in_new_names(getattr(value, name), present) for name in value.__dataclass_fields__}
        )
    return value
