"""How the cloud is reached: endpoint and login, where OpenNebula's own tools look for them."""

from __future__ import annotations

import os
from pathlib import Path

from provision.errors import WrongAccess
from provision.opennebula import Cloud

ADVICE = "set $ONE_AUTH to a file with name:password"


def cloud_at(endpoint: str | None = None) -> Cloud:
    """The front end at an endpoint, or at $ONE_XMLRPC, with the login from the file $ONE_AUTH or ~/.one/one_auth.

    Raises
    ------
    WrongAccess
        When there is no endpoint or no login, or one that is none.
    """
    endpoint = endpoint or os.environ.get("ONE_XMLRPC")
    if not endpoint:
        raise WrongAccess("no front end is named: give --endpoint, or set $ONE_XMLRPC")
    return Cloud(endpoint, login())


def login() -> str:
    """The `name:password` of the file that OpenNebula's own tools use.

    Raises
    ------
    WrongAccess
        When there is no such file, it cannot be read, or it holds something else.
    """
    path = login_file()
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise WrongAccess(f"no login: there is no {path} ({ADVICE})") from None
    except OSError as error:
        raise WrongAccess(f"no login: {path} cannot be read: {error.strerror} ({ADVICE})") from error
    except UnicodeDecodeError:
        raise WrongAccess(f"no login: {path} is no text ({ADVICE})") from None
    name, colon, password = text.partition(":")
    if not (name and colon and password) or len(text.split("\n")) > 1:
        raise WrongAccess(f"no login: {path} does not hold name:password in one line ({ADVICE})")
    return text


def login_file() -> Path:
    """Where the login stands.

    Raises
    ------
    WrongAccess
        When nobody says so and the account has no home.
    """
    if named := os.environ.get("ONE_AUTH"):
        return Path(named)
    try:
        return Path.home() / ".one" / "one_auth"
    except RuntimeError:
        raise WrongAccess(f"no login: $ONE_AUTH is not set, and this account has no home ({ADVICE})") from None
