"""Where things lie in the exchange, and the only names that readers look at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from exchange.canonical import REFERRAL_ID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.store import Reader, Writer

DIRECTORY = "community/directory"
SETTINGS = "community/settings"
MANIFEST = "manifest.age"
PARCEL = re.compile(r"[0-9]{4}\.parcel\.age")
ACKNOWLEDGEMENT = re.compile(rf"({REFERRAL_ID.pattern})\.ack\.age")
MAX_PARCELS = 9999


def settings_of(branch: str) -> str:
    """The folder of a branch's settings."""
    return f"{SETTINGS}/{branch}"


def versioned(folder: str, version: int, suffix: str) -> str:
    """A name that sorts as its version does."""
    return f"{folder}/{version:010d}{suffix}"


def outbox_of(branch: str) -> str:
    """The one folder in the exchange where a branch may write."""
    return f"out/{branch}"


def letterbox(sender: str, recipient: str) -> str:
    """The folder in the sender's outbox that the recipient reads."""
    return f"{outbox_of(sender)}/{recipient}"


def in_outbox(recipient: str, referral_id: str) -> str:
    """A referral's folder, seen from the sender's outbox."""
    return f"{recipient}/{referral_id}"


def parcel_name(number: int) -> str:
    """The name of a referral's parcel, counted from 1."""
    return f"{number:04d}.parcel.age"


def acknowledgement_name(sender: str, referral_id: str) -> str:
    """An acknowledgement, seen from the outbox of the recipient, who acknowledges."""
    return f"{sender}/{referral_id}.ack.age"


def is_there(exchange: Reader, branch: str) -> bool:
    """Whether this is an exchange with a directory, and with the branch's outbox; an empty mount point is none."""
    return next(exchange.list(DIRECTORY), None) is not None and exchange.has_folder(outbox_of(branch))


def prepare(store: Writer, branches: Iterable[str]) -> None:
    """Make the folders that must be there before a VM mounts them; done by the admin, may be repeated."""
    for folder in [DIRECTORY, *(outbox_of(branch) for branch in branches)]:
        store.make_folder(folder)
