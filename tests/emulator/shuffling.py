"""The recorded sessions in another order: calls that have nothing to do with each other change places.

Two calls have to do with each other when they name, make or list the same object, user or name, or when both change
what numbers its objects by itself (access rules). Those keep their order; all else is drawn by lot.
"""

from __future__ import annotations

import heapq
import random
import re
from typing import TYPE_CHECKING, Any

from emulator.kinds import KINDS
from tests.emulator.renumbering import ATTRIBUTE, ATTRIBUTES, QUOTA, QUOTA_OF, kinds_of, made_by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.emulator.recording import Call

Thing = tuple[str, str]
POOLS = {kind.pool_name: kind.name for kind in KINDS.values()}
WORDS = {word: kind.name for kind in KINDS.values() for word in (kind.right, kind.words, kind.taken_by)}
NAMED = re.compile(r"""NAME\s*=\s*"([^"]+)"|NAME=(\w+)""")
MENTIONED = re.compile(rf"\b({'|'.join(sorted(map(re.escape, WORDS), key=len, reverse=True))}) \[?(\d+)")
ALL = "*"
# What makes or takes away access rules besides itself.
RULING = {"group", "vdc", "acl", "user"}
# What cannot be deleted before what it holds.
HOLDING = {"image", "datastore", "vn", "host", "cluster"}
# What makes images besides itself, or speaks of the whole cloud.
EVERYTHING = {("everything", ALL)}


def touched(call: Call) -> set[Thing]:
    """What a call has to do with."""
    method = call.method.removeprefix("one.")
    noun, _, verb = method.partition(".")
    if _is_of_everything(call, noun, verb):
        return EVERYTHING
    things = {*_named(call), *_mentioned(call), *_ids(call, method), *_seen_elsewhere(noun, verb)}
    if made_by(call):
        things.add((made_by(call), str(call.reply[1])))
    if call.user != "oneadmin":
        things.update([("session", call.user or ""), ("acl", "a user's rights")])
    return things


def _seen_elsewhere(noun: str, verb: str) -> Iterator[Thing]:
    if noun in POOLS:
        yield POOLS[noun], ALL
    if noun in RULING and not verb.endswith("info"):
        yield "acl", ALL
    if verb == "delete" and noun in HOLDING:
        yield "deletion", ALL
    if noun == "cluster":
        yield "host", ALL  # each host tells what its cluster is called


def _is_of_everything(call: Call, noun: str, verb: str) -> bool:
    own = noun in {"user", "group", "userquota", "groupquota"} and call.params[:1] in ([0], [-1])
    clones = verb in {"clone", "instantiate", "delete"} and noun == "template"
    return noun in {"system", "zone", "zonepool", "userquota", "groupquota"} or own or clones or noun.startswith("vm")


def _ids(call: Call, method: str) -> Iterator[Thing]:
    kinds = kinds_of(method)
    for place, value in enumerate(call.params):
        for number in value if isinstance(value, list) else [value]:
            if place in kinds and type(number) is int:
                yield kinds[place], "0" if number == -1 else str(number)
        if isinstance(value, str):
            yield from _ids_in(value)


def _ids_in(text: str) -> Iterator[Thing]:
    for name, _, numbers in ATTRIBUTE.findall(text):
        yield from ((ATTRIBUTES[name], number) for number in numbers.split(","))
    for name, _, number in QUOTA.findall(text):
        yield QUOTA_OF[name], number


def _named(call: Call) -> Iterator[Thing]:
    for text in (value for value in call.params if isinstance(value, str)):
        for found in NAMED.findall(text):
            yield "name", next(filter(None, found))
        if re.fullmatch(r"[\w.-]+", text):
            yield "name", text


def _mentioned(call: Call) -> Iterator[Thing]:
    if isinstance(call.reply, list) and call.reply[0] is False:
        for word, number in MENTIONED.findall(call.reply[1]):
            yield WORDS[word], number


def have_to_do(one: set[Thing], other: set[Thing]) -> bool:
    """Whether two calls must keep their order."""
    if one & other or one & EVERYTHING or other & EVERYTHING:
        return True
    return any((kind, ALL) in second for first, second in ((one, other), (other, one)) for kind, _ in first)


def scenes(calls: list[Call]) -> list[list[Call]]:
    """The calls in groups: what follows each other and is about the same object, which may change meanwhile."""
    groups: list[list[Call]] = []
    for call in calls:
        if groups and groups[-1][-1].file == call.file and subject(groups[-1][-1]) == subject(call):
            groups[-1].append(call)
        else:
            groups.append([call])
    return groups


def reservations(calls: list[Call]) -> dict[Thing, str]:
    """From which network each reservation is: what is given back is seen there."""
    made = (call for call in calls if call.method == "one.vn.reserve" and made_by(call))
    return {("vn", str(call.reply[1])): str(call.params[0]) for call in made}


def subject(call: Call) -> Thing:
    """The object that a call makes, or is about."""
    method = call.method.removeprefix("one.")
    if made_by(call):
        return made_by(call), str(call.reply[1])
    return next(_ids(call, method), ("", f"{call.file} {call.seq}"))


def shuffled(calls: list[Call], seed: int) -> list[Call]:
    """The calls in an order drawn by lot, in which what has to do with each other stays as it was."""
    lot = random.Random(seed)
    groups = scenes(calls)
    parents = reservations(calls)
    things = [set().union(*map(touched, group)) for group in groups]
    things = [one | {("vn", parents[thing]) for thing in one if thing in parents} for one in things]
    before = [
        {early for early in range(late) if have_to_do(things[early], things[late])} for late in range(len(groups))
    ]
    after: list[list[int]] = [[] for _ in groups]
    for late, earlier in enumerate(before):
        for early in earlier:
            after[early].append(late)
    ready = [(lot.random(), number) for number, earlier in enumerate(before) if not earlier]
    heapq.heapify(ready)
    order: list[Call] = []
    while ready:
        _, number = heapq.heappop(ready)
        order += groups[number]
        for late in after[number]:
            before[late].discard(number)
            if not before[late]:
                heapq.heappush(ready, (lot.random(), late))
    return order


# replies that were heard in another order


def agree(ours: Any, real: Any) -> bool:
    """Whether two replies, made alike, say the same of what both of them know.

    A list names only what was made until then, and its order is that in which it was made; a network's automatic
    VLAN is drawn from its id.
    """
    if isinstance(ours, list) and isinstance(real, list) and len(ours) == len(real) == 3:
        mine, theirs = settled(ours[1]), settled(real[1])
        if isinstance(mine, tuple) and isinstance(theirs, tuple) and mine[0].endswith("_POOL"):
            mine, theirs = _of_both(mine, theirs)
        return ours[0] == real[0] and bool(mine == theirs) and ours[2] == real[2]
    return bool(ours == real)


def settled(element: Any) -> Any:
    """An element without what tells in which order things were made."""
    if not (isinstance(element, tuple) and isinstance(element[1], list)):
        return _settled_text(*element) if isinstance(element, tuple) else element
    children = [settled(child) for child in element[1]]
    if ("VLAN_ID_AUTOMATIC", "1") in children:
        children = _without_vlan(children)
    if element[0].endswith("_QUOTA") or {name for name, _ in children} == {"ID"}:
        children = sorted(children, key=str)
    return element[0], children


def _settled_text(tag: str, text: str) -> tuple[str, str]:
    if tag == "SCHED_MESSAGE":
        text = re.sub(r"\d+(,\d+)+", lambda found: ",".join(sorted(found[0].split(","))), text)
    return tag, text


def _without_vlan(children: list[Any]) -> list[Any]:
    kept = [child for child in children if child[0] not in {"VLAN_ID", "BRIDGE"}]
    return [("TEMPLATE", _without_vlan(inner)) if name == "TEMPLATE" else (name, inner) for name, inner in kept]


def _of_both(mine: Any, theirs: Any) -> tuple[Any, Any]:
    keys = {_key(mine[0], one) for one in mine[1]} & {_key(theirs[0], one) for one in theirs[1]}
    return tuple(
        sorted((_member(pool, one) for one in members if _key(pool, one) in keys), key=str)
        for pool, members in (mine, theirs)
    )


def _key(pool: str, member: Any) -> tuple[str, str]:
    """By what a pool's member is known: a rule by what it says."""
    children = dict(member[1]) if isinstance(member[1], list) else {}
    return member[0], str(children.get("STRING" if pool == "ACL_POOL" else "ID"))


def _member(pool: str, member: Any) -> Any:
    return [child for child in member[1] if child[0] != "ID"] if pool == "ACL_POOL" else member
