"""People of a branch who have an OpenNebula account: part of what a community file declares."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema
from pydantic.dataclasses import dataclass

from exchange.sealing import is_recipient
from provision.declaring.strict import STRICT

PATTERN = r"(age1[0-9a-z]{58}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( [^\x00-\x1f\"\\]*)?)"


def _a_key(text: str) -> str:
    """A public key that something can really be encrypted to."""
    if not (re.fullmatch(PATTERN, text) and is_recipient(text)):
        raise ValueError("this is no age and no SSH public key (age1..., ssh-ed25519 ..., ssh-rsa ...)")
    return text


Recipient = Annotated[str, AfterValidator(_a_key), WithJsonSchema({"type": "string", "pattern": f"^{PATTERN}$"})]


@dataclass(frozen=True, config=STRICT)
class CloudUser:
    """A person of a branch with an OpenNebula account, in the branch's group and within its quota."""

    key: Recipient | None = None
    """An `age` or SSH public key that the first login token is encrypted to; left out: it lies in a file as it is."""
    group_admin: bool = False
    """Whether the person administers the branch's group, and could so end its appliance or rewrite its context."""
