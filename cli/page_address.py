"""The address of an appliance's page, as a person types it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

import click


class PageAddress(click.ParamType[str]):
    """`http://HOST[:PORT]` or `https://HOST[:PORT]`."""

    name = "URL"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what no page can be at; a login in it would stand in the list of processes, and in messages."""
        if _parts(value) is None:
            shown = value.rpartition("@")[2]
            self.fail(f"{shown!r} is no address of a page, such as https://10.20.1.10", param, ctx)
        return value


def is_readable_on_the_way(address: str) -> bool:
    """Whether others than this machine carry it, and it is not encrypted."""
    parts = _parts(address)
    return parts is not None and parts.scheme == "http" and not _is_here(parts.hostname or "")


def _parts(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0 and parts.username is None
    except ValueError:
        return None
    return parts if good and text.isprintable() and " " not in text else None


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
