"""DER as base64: how certificates, revocation lists, keys and requests for certificates are written down."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from exchange.errors import Malformed

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


def written(der: bytes) -> str:
    """The text of some DER."""
    return base64.b64encode(der).decode()


def read(text: str, load: Callable[[bytes], Value], otherwise: str) -> Value:
    """What `load` makes of the DER in a text; raises `Malformed`, which says what is wrong `otherwise`."""
    try:
        return load(base64.b64decode(text, validate=True))
    except (ValueError, TypeError, binascii.Error, InvalidSignature, UnsupportedAlgorithm):
        raise Malformed(otherwise) from None
