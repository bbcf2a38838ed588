"""A DNS name of a hospital's own, in any script, as it stands in DNS and in certificates."""

from __future__ import annotations

from typing import Annotated

import idna
from pydantic import AfterValidator, WithJsonSchema

WORDS = "a DNS name with its domain, as images.erode.example"


def in_dns(name: str) -> str:
    """The name in lower case and in ASCII, as browsers send it and certificates carry it.

    References
    ----------
    RFC 5891 (labels in other scripts), UTS 46 (what people type), RFC 5280 4.2.1.6.
    """
    try:
        ascii_name = idna.encode(name, uts46=True, std3_rules=True).decode().removesuffix(".")
    except UnicodeError as error:
        raise ValueError(f"{name!r} is no DNS name: {error}") from None
    if "." not in ascii_name:
        raise ValueError(f"{name!r} lacks its domain: give {WORDS}")
    # What ends in a number is an address to a browser (WHATWG URL 3.5); no top-level domain begins with a digit.
    if not ascii_name.rpartition(".")[2][0].isalpha():
        raise ValueError(f"{name!r} is no DNS name, for its last part begins with no letter: give {WORDS}")
    return ascii_name


DnsName = Annotated[
    str, AfterValidator(in_dns), WithJsonSchema({"type": "string", "format": "idn-hostname", "description": WORDS})
]
