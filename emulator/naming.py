"""Names of objects: which are legal, and which are taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.errors import Refused
from emulator.kinds import KINDS, Kind, Unique

if TYPE_CHECKING:
    from emulator.record import Record
    from emulator.store import Store

# References: OpenNebula src/pool/PoolObjectSQL.cc and src/um/User.cc, INVALID_NAME_CHARS.
FORBIDDEN = "&|:\\\";/'#{}$<>\t\n\v\f\r"
FORBIDDEN_EXTRA = {"group": " "}
FORBIDDEN_IN_LOGIN = " :\t\n\v\f\r"
MAX_LENGTH = 128
UNDOTTED = {"MARKETPLACE", "MARKETPLACEAPP"}  # kinds whose messages of a taken name end without a full stop


def name_mistake(kind: str, name: str) -> str:
    """What is illegal about a name, "" if nothing."""
    if kind == "user":
        return _login_mistake(name)
    if not name:
        return "Invalid NAME, it cannot be empty"
    forbidden = FORBIDDEN + FORBIDDEN_EXTRA.get(kind, "")
    bad = next((letter for letter in name if letter in forbidden), "")
    if bad:
        return f"Invalid NAME, char '{bad}' is not allowed"
    return "Invalid NAME, max length is 128 chars" if len(name) > MAX_LENGTH else ""


def _login_mistake(name: str) -> str:
    if not name:
        return "Invalid NAME, it cannot be empty."
    bad = next((letter for letter in name if letter in FORBIDDEN_IN_LOGIN), "")
    if bad:
        return f"Invalid NAME, char '{bad}' is not allowed."
    return "Invalid NAME, max length is 128 chars." if len(name) > MAX_LENGTH else ""


def named(store: Store, kind: str, name: str, uid: int = -1) -> Record | None:
    """The object that holds a name, among those of an owner where names are an owner's own."""
    unique = KINDS[kind].unique
    if unique is Unique.NEVER:
        return None
    return next(
        (one for one in store.all(kind) if one.name == name and (unique is Unique.CLOUD or one.uid == uid)), None
    )


def check_name(store: Store, kind: str, name: str, uid: int = -1) -> None:
    """Let an allocation go on only if its name is legal and free.

    Raises
    ------
    Refused
        With the code and words that OpenNebula has for the kind.
    """
    about = KINDS[kind]
    mistake = name_mistake(kind, name)
    if mistake:
        raise Refused(about.taken_code, about.allocation_prefix + mistake)
    holder = named(store, kind, name, uid)
    if holder is not None:
        raise Refused(about.taken_code, about.allocation_prefix + taken_text(about, holder))


def taken_text(about: Kind, holder: Record) -> str:
    """That a name is taken, and by which object."""
    return f"NAME is already taken by {about.taken_by} {holder.oid}{'' if about.taken_by in UNDOTTED else '.'}"
