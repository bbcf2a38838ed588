"""The first credential of an account: a login token in a file, for its person alone."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exchange.sealing import seal
from provision.enrolling.identity import write_secret
from provision.errors import Blocked
from provision.planning.resource import Ref

if TYPE_CHECKING:
    from pathlib import Path

    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.planning.found import Found

#: How long a first login token is good, in seconds: a week, in which its person sets an own password.
VALID_S = 7 * 24 * 3600


def forgotten_password() -> str:
    """A password that is told to OpenNebula and to nobody else: the account is entered by its token."""
    return secrets.token_urlsafe(32)


def hand_over(desk: Desk, account: str, group: int, key: str) -> Path:
    """Make a login token for an account and write it to a file; neither is shown or logged.

    The file holds `account:token`, as `$ONE_AUTH` takes it, readable by its owner alone; with a key it is encrypted
    to that, in the `age` format. A token of another account is good for one group, which is the account's only one:
    OpenNebula refuses oneadmin a full one.

    Parameters
    ----------
    account
        The account's name.
    group
        The id of its group.
    key
        An `age` or SSH public key of its person; empty where there is none.

    Returns
    -------
    Path
        The file, beside the admin's identity.
    """
    token = str(desk.cloud.call("user.login", account, "", VALID_S, group))
    text = f"{account}:{token}\n"
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    path = desk.identity.path.with_name(f"credential-{account}-{now}{'.age' if key else ''}")
    write_secret(path, seal(text.encode(), [key], armored=True).decode() if key else text)
    return path


def anew(desk: Desk, community: Community, found: Found, branch: str, login: str) -> Path:
    """Make another login token for an account that stands, and write it to a file.

    Raises
    ------
    Blocked
        When nobody is declared by that name, or the account was not made yet.
    """
    declared = community.branches.get(branch)
    person = declared.admins.get(login) if declared else None
    if person is None:
        raise Blocked([f"there is no {login!r} in the `admins:` of branch {branch!r} in the community file"])
    account = found.resources.get(Ref("cloud-user", f"{branch}.{login}"))
    if account is None:
        raise Blocked([f"{login} of {branch} has no account yet: run `gurney apply`"])
    return hand_over(desk, account.name, found.view.groups[branch].id, person.key or "")
