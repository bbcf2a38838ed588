"""Invitations: a code that is told once, and what an appliance needs to recognise it."""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from pydantic.dataclasses import dataclass as document

from exchange.canonical import STRICT, Document, Moment, Sha256

LIFETIME = timedelta(days=14)
_CODE_BYTES = 10
"""80 bits: not to be found by trying, so that a plain digest is enough."""


@document(frozen=True, config=STRICT)
class Invitation(Document):
    """What the settings say of a code. That it is used once only is the appliance's to remember."""

    code_digest: Sha256
    expires: Moment

    def accepts(self, code: str, now: datetime) -> bool:
        """Whether this is the code, and it is in time; case, spaces and dashes do not matter."""
        return hmac.compare_digest(self.code_digest, _digest(code)) and now < self.expires


def invite(now: datetime, lifetime: timedelta = LIFETIME) -> tuple[str, Invitation]:
    """A new code, `XXXX-XXXX-XXXX-XXXX`, to be shown once, and its invitation."""
    letters = base64.b32encode(secrets.token_bytes(_CODE_BYTES)).decode()
    code = "-".join(letters[start : start + 4] for start in range(0, len(letters), 4))
    return code, Invitation(code_digest=_digest(code), expires=now + lifetime)


def _digest(code: str) -> str:
    letters = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(f"gurney invitation {letters}".encode()).hexdigest()
