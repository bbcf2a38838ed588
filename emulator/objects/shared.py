"""What most kinds of object have in common: info, pool, update, rename.

References: OpenNebula src/rm/api/SharedAPI.cc and PoolSharedAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import manage, require, use, visible
from emulator.document import element
from emulator.errors import Code, Refused
from emulator.kinds import KINDS
from emulator.naming import name_mistake, named
from emulator.objects.ownership import chmod, chown, lock, unlock
from emulator.template import copied, merged, parse, restricted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from emulator.access import Want
    from emulator.call import Call, Caller
    from emulator.record import Body, Record
    from emulator.registry import Handler, Table


def rendered(record: Record, view: Callable[[Record], Body] | None = None, variant: str = "") -> str:
    """The document of an object; made once until the object changes."""
    if variant not in record.xml:
        body = view(record) if view else record.body
        record.xml[variant] = element(KINDS[record.kind].tag, body)
    return record.xml[variant]


def info(kind: str, view: Callable[[Record], Body] | None = None) -> Handler:
    """`one.<kind>.info`."""

    def answer(call: Call, oid: int, decrypt: bool = False) -> str:  # noqa: ARG001  (an API's parameters)
        record = call.get(kind, oid)
        require(call, use(record, despite_lock=True))
        return rendered(record, view)

    return answer


def whole_pool(kind: str, view: Callable[[Record], Body] | None = None) -> Handler:
    """`one.<kind>pool.info` of a kind without owners: all that the caller may use."""

    def answer(call: Call) -> str:
        records = visible(call, reversed(call.store.all(kind)))
        return pool_document(kind, records, view)

    return answer


def owned_pool(kind: str, view: Callable[[Record], Body] | None = None) -> Handler:
    """`one.<kind>pool.info` of a kind with owners: filtered by owner and range of ids."""

    def answer(call: Call, filter_flag: int, start: int, end: int) -> str:
        return pool_document(kind, chosen(call, kind, filter_flag, start, end), view)

    return answer


def pool_document(kind: str, records: Iterable[Record], view: Callable[[Record], Body] | None = None) -> str:
    """A pool's document."""
    tag = KINDS[kind].pool_tag
    return f"<{tag}>{''.join([rendered(one, view, 'pool' if view else '') for one in records])}</{tag}>"


def chosen(
    call: Call, kind: str, filter_flag: int, start: int, end: int, where: Callable[[Record], bool] | None = None
) -> list[Record]:
    """The objects that a pool call asks for and its caller may use, newest first.

    Parameters
    ----------
    filter_flag
        -4 own primary group's, -3 own, -2 all, -1 own and own groups', else those of a user.
    start, end
        Range of ids; with `end` below -1 a page of `-end` objects from `start`.
    where
        What else they must be.

    Raises
    ------
    Refused
        API, for a filter below -4.
    """
    if filter_flag < -4:
        raise Refused(Code.API, "Incorrect filter_flag")
    records = [
        one
        for one in reversed(call.store.all(kind))
        if _in_filter(call.caller, one, filter_flag) and (where is None or where(one))
    ]
    if end >= -1 and start != -1:
        records = [one for one in records if one.oid >= start and (end == -1 or one.oid <= end)]
    if filter_flag not in {-3, call.caller.uid}:
        records = visible(call, records)
    return records[max(start, 0) :][:-end] if end < -1 else records


def _in_filter(caller: Caller, record: Record, flag: int) -> bool:
    return {
        -4: record.gid == caller.gid,
        -3: record.uid == caller.uid,
        -2: True,
        -1: record.uid == caller.uid or record.gid in caller.gids,
    }.get(flag, record.uid == flag)


def update(
    kind: str,
    after: Callable[[Call, Record, Body], None] | None = None,
    restrictions: str = "",
    right: Callable[[Record], Want] = manage,
) -> Handler:
    """`one.<kind>.update`; `after` may refuse the new template or complete it."""

    def answer(call: Call, oid: int, text: str, mode: int = 0) -> int:
        record = call.get(kind, oid)
        require(call, right(record))
        change_template(call, record, text, mode, after, restrictions)
        return oid

    return answer


def change_template(
    call: Call,
    record: Record,
    text: str,
    mode: int,
    after: Callable[[Call, Record, Body], None] | None = None,
    restrictions: str = "",
    key: str = "TEMPLATE",
) -> None:
    """Replace (mode 0) an object's template, or merge into it (mode 1)."""
    if mode not in {0, 1}:
        raise Refused(Code.API, "Wrong update type")
    try:
        new, old = parse(text), record.body[key]
        if restrictions and not call.caller.is_admin:
            _check_restricted(call, new, old, mode, restrictions)
        call.store.edit(record).body[key] = merged(old, new) if mode else new
        if after is not None:
            after(call, record, copied(old))
    except Refused as refused:
        raise Refused(Code.INTERNAL, "Cannot update template. " + refused.text) from refused


def _check_restricted(call: Call, new: Body, old: Body, mode: int, restrictions: str) -> None:
    names = call.cloud.configuration.texts(restrictions)
    found = restricted(new, names)
    lost = "" if mode else restricted(old, names)
    if found and mode:
        raise Refused(Code.INTERNAL, f"User Template includes a restricted attribute {found}")
    if (found or lost) and not mode and _differs(new, old, names):
        raise Refused(Code.INTERNAL, f"Tried to change restricted attribute: {found or lost}")


def _differs(new: Body, old: Body, names: Iterable[str]) -> bool:
    heads = {name.partition("/")[0] for name in names}
    return any(new.get(name) != old.get(name) for name in heads)


def rename(
    kind: str, after: Callable[[Call, Record], None] | None = None, right: Callable[[Record], Want] = manage
) -> Handler:
    """`one.<kind>.rename`."""

    def answer(call: Call, oid: int, name: str) -> int:
        record = call.get(kind, oid)
        if record.name != name:
            require(call, right(record))
            _check_new_name(call, record, name)
            call.store.edit(record).body["NAME"] = name
            if after is not None:
                after(call, record)
        return oid

    return answer


def _check_new_name(call: Call, record: Record, name: str) -> None:
    holder, words = named(call.store, record.kind, name, record.uid), KINDS[record.kind].words
    if holder is not None:
        text = f"{words} cannot be renamed to {name} because it collides with {words} {holder.oid}"
        raise Refused(Code.ACTION, text)
    mistake = name_mistake(record.kind, name)
    if mistake:
        raise Refused(Code.ACTION, mistake)


def common(kind: str, **replaced: Handler) -> Table:
    """The table of methods that every owned kind has; a keyword replaces one, or adds one."""
    table: Table = {
        "info": info(kind),
        "update": update(kind),
        "rename": rename(kind),
        "chmod": chmod(kind),
        "chown": chown(kind),
        "lock": lock(kind),
        "unlock": unlock(kind),
        **replaced,
    }
    return {f"one.{kind}.{name}": handler for name, handler in table.items()}
