"""Logging in: the session string `name:password` or `name:token` of every call.

References: OpenNebula src/um/UserPool.cc `authenticate`, src/um/LoginToken.cc.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from emulator.access import manage, require
from emulator.call import Caller
from emulator.errors import Code, Refused

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud
    from emulator.record import Body, Record
    from emulator.registry import Table
    from emulator.store import Store

MAX_TOKENS = 10


def digest(password: str) -> str:
    """A password as OpenNebula keeps and shows it."""
    return hashlib.sha256(password.encode()).hexdigest()


def user_named(store: Store, name: str) -> Record | None:
    """The user of a login name."""
    return next((one for one in store.all("user") if one.name == name), None)


def authenticated(cloud: Cloud, session: str) -> Caller:
    """Who a session string belongs to.

    Raises
    ------
    Refused
        AUTHENTICATION, in the same words whatever is wrong.
    """
    name, colon, secret = session.partition(":")
    user = user_named(cloud.store, name) if colon else None
    if user is not None and user.body["ENABLED"] == 1:
        if user.body["AUTH_DRIVER"] == "core" and hmac.compare_digest(user.body["PASSWORD"], digest(secret)):
            return caller_of(user)
        token = _token(cloud, user, secret)
        if token is not None:
            return caller_of(user, token["EGID"])
    raise Refused(Code.AUTHENTICATION, "User couldn't be authenticated, aborting call.")


def caller_of(user: Record, gid: int = -1) -> Caller:
    """A user as caller; with a group, only that group counts."""
    gids = frozenset(user.body["GROUPS"]["ID"]) if gid < 0 else frozenset({gid})
    return Caller(user.oid, user.gid, gids, user.name, user.body["GNAME"])


def _token(cloud: Cloud, user: Record, secret: str) -> Body | None:
    now = cloud.clock.now()
    return next(
        (
            one
            for one in user.hidden.get("tokens", [])
            if hmac.compare_digest(one["TOKEN"], secret)
            and (one["EXPIRATION_TIME"] == -1 or one["EXPIRATION_TIME"] > now)
        ),
        None,
    )


def login(call: Call, name: str, token: str, valid_s: int, egid: int = -1) -> str:
    """Make a login token, or revoke one."""
    user = user_named(call.store, name)
    if user is None:
        raise Refused(Code.NO_EXISTS, "Error getting user [-1].")
    require(call, manage(user))
    if valid_s < -1:
        raise Refused(Code.API, "Wrong valid period for token")
    tokens = call.store.edit(user).hidden.setdefault("tokens", [])
    if valid_s == 0:
        _revoke(tokens, token)
        return token
    _check_groups(call, user, egid)
    if len(tokens) >= MAX_TOKENS:
        raise Refused(Code.API, "Max number of tokens limit reached.")
    made = token or secrets.token_hex(32)
    expires = -1 if valid_s == -1 else call.cloud.clock.seconds() + valid_s
    tokens[:] = [one for one in tokens if one["TOKEN"] != made]
    tokens.append({"TOKEN": made, "EXPIRATION_TIME": expires, "EGID": egid})
    return made


def _revoke(tokens: list[Body], token: str) -> None:
    kept = [one for one in tokens if token and one["TOKEN"] != token]
    if token and len(kept) == len(tokens):
        raise Refused(Code.API, f"Could not find token: {token}")
    tokens[:] = kept


def _check_groups(call: Call, user: Record, egid: int) -> None:
    groups = frozenset(user.body["GROUPS"]["ID"])
    if egid != -1 and not call.caller.is_admin and (egid not in groups or egid not in call.caller.gids):
        raise Refused(Code.API, "EGID is not in user group list")
    if egid == -1 and groups != call.caller.gids:
        raise Refused(Code.API, "Cannot create a full token with a specific group token")


TABLE: Table = {"one.user.login": login}
