"""How the cloud is reached: endpoint and login, where OpenNebula's own tools look for them."""

from __future__ import annotations

import os
from pathlib import Path

from provision.errors import NoEndpoint, NotAccepted
from provision.opennebula import Cloud


def cloud_at(endpoint: str | None = None) -> Cloud:
    """The front end at an endpoint, or at $ONE_XMLRPC, with the login from the file $ONE_AUTH or ~/.one/one_auth.

    Raises
    ------
    NoEndpoint
        When none is given.
    NotAccepted
        When there is no login.
    """
    endpoint = endpoint or os.environ.get("ONE_XMLRPC")
    if not endpoint:
        raise NoEndpoint("no front end is named: give --endpoint, or set $ONE_XMLRPC")
    return Cloud(endpoint, login())


def login() -> str:
    """The `name:password` of the file that OpenNebula's own tools use."""
    path = Path(os.environ.get("ONE_AUTH") or Path.home() / ".one" / "one_auth")
    try:
        text = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise NotAccepted("login", f"there is no {path}", advice="set $ONE_AUTH to a file with name:password") from None
    if ":" not in text:
        raise NotAccepted("login", f"{path} does not hold name:password")
    return text
