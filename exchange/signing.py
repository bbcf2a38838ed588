"""Signed envelopes: what was signed, for which purpose, and a signature that holds for that purpose only."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING

from exchange.errors import BadSignature, Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.keys import SigningKey, VerifyKey

FORMAT = "gurney/1"
"""In every signed message; another number is another format, which older readers refuse."""


def message(purpose: str, body: bytes) -> bytes:
    """What is really signed: format and purpose on a line of their own, then the body.

    A signature for one purpose is so never one for another, whatever the bodies are.
    """
    return f"{FORMAT} {purpose}\n".encode() + body


def sign(purpose: str, body: bytes, key: SigningKey) -> bytes:
    """An envelope, as JSON, of the body and its signature.

    The body is carried as base64, so that what is verified is what was signed, byte for byte.
    """
    signature = key.sign(message(purpose, body))
    fields = {"body": _text(body), "purpose": purpose, "signature": _text(signature)}
    return json.dumps(fields, separators=(",", ":"), sort_keys=True).encode()


def open_signed(purpose: str, envelope: bytes, keys: Iterable[VerifyKey]) -> bytes:
    """The body, if one of `keys` signed it for this purpose.

    Raises
    ------
    Malformed
        Not an envelope.
    BadSignature
        None of the keys signed this, for this purpose.
    """
    body, signature = _opened(envelope)
    signed = message(purpose, body)
    if not any(key.verifies(signature, signed) for key in keys):
        raise BadSignature(f"the signature of the {purpose} is of none of the keys that may sign it")
    return body


def unverified(envelope: bytes) -> bytes:
    """The body of an envelope that nobody has vouched for: good for a hint, never for a decision."""
    return _opened(envelope)[0]


def _opened(envelope: bytes) -> tuple[bytes, bytes]:
    try:
        fields = json.loads(envelope)
        return _bytes(fields["body"]), _bytes(fields["signature"])
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error):
        raise Malformed("not a signed envelope") from None


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
