"""A server that tells the time by NTP: its address or its DNS name."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from provision.declaring.dns_name import in_dns

WORDS = "the address of a time server, or its DNS name, as time.erode.example"


def time_server(text: str) -> str:
    """The server as timesyncd is told it; raises ValueError where it is neither address nor name."""
    try:
        return str(ip_address(text))
    except ValueError:
        return in_dns(text)


TimeServer = Annotated[str, AfterValidator(time_server), WithJsonSchema({"type": "string", "description": WORDS})]
