"""Whether an appliance answers: its own word over HTTPS, or in clear as long as it has no certificate."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from provision.fleet.asking import answer_of
from provision.http_answer import NotHttp

#: Where an appliance answers. DICOM: the port that IANA gave it.
HTTP_PORT, HTTPS_PORT, DICOM_PORT, DICOM_TLS_PORT = 8080, 8443, 11112, 2762

#: The largest number that is one of an appliance's, and the longest name of a branch.
MOST, LONGEST = 1 << 62, 64

#: A connection that the other side has ended.
BROKEN_OFF = (ssl.SSLEOFError, ConnectionResetError, BrokenPipeError)


@dataclass(frozen=True)
class Health:
    """What an appliance says of itself.

    Attributes
    ----------
    outbox_bytes, outbox_limit_bytes
        What referrals on their way need of its outbox, and how much it may hold, 0 for any number; both 0 where the
        appliance is too old to say.
    outbox_unwritable
        Whether it cannot write in its outbox: no referral leaves.
    archive_bytes, archive_free_bytes
        The size of its archive's disk, and what of that is free; both 0 where the appliance is too old to say.
    referrals_given_up
        How many ended its service each time that they were taken, and wait for the branch's admin.
    set_aside
        How many images lie aside in its archive, since they came under the UID of another or were in no index.
    clock_unset
        Whether no time server has set its clock yet.
    restart_wanted
        Whether updates of its system wait for a restart.
    distrust
        Why its certificate was not accepted, where one was expected; what is said then may be anybody's words.
    """

    branch: str
    enrolled: bool
    directory: int
    settings: int
    dicom: bool
    outbox_bytes: int = 0
    outbox_limit_bytes: int = 0
    outbox_unwritable: bool = False
    archive_bytes: int = 0
    archive_free_bytes: int = 0
    referrals_given_up: int = 0
    set_aside: int = 0
    clock_unset: bool = False
    restart_wanted: bool = False
    distrust: str = ""

    @property
    def archive_nearly_full(self) -> bool:
        """Whether less than a tenth of its archive's disk is free."""
        return self.archive_free_bytes * 10 < self.archive_bytes


@dataclass(frozen=True)
class Strange:
    """An answer that is no appliance's own word; `words` say why."""

    words: str


def health_of(address: str, trust: ssl.SSLContext | None = None, timeout_s: float = 3.0) -> Health | Strange | None:
    """What the appliance at an address says; None where nothing answers, or not with success.

    Whatever it answers, and however slowly, this comes back soon and raises nothing.

    Parameters
    ----------
    address
        IPv4 or IPv6; nothing answers at what is neither.
    trust
        Who vouches for it, where the community gave it a certificate: it is asked over TLS, and believed only there.
    timeout_s
        How long an answer may take, all of it.
    """
    try:
        ip_address(address)
    except ValueError:
        return None
    if trust is None:
        return _told(address, timeout_s)
    try:
        return _asked(address, HTTPS_PORT, trust, timeout_s)
    except BROKEN_OFF:
        return None  # as at a service that is just starting: nobody was distrusted
    except OSError as error:
        in_clear = _told(address, timeout_s)
        if not isinstance(in_clear, Health):
            return in_clear
        return replace(in_clear, distrust=str(error) or type(error).__name__)


def in_url(address: str) -> str:
    """An address as it stands in a URL: IPv6 in brackets (RFC 3986, 3.2.2)."""
    return f"[{address}]" if ":" in address else address


def _told(address: str, timeout_s: float) -> Health | Strange | None:
    try:
        return _asked(address, HTTP_PORT, None, timeout_s)
    except OSError:
        return None


def _asked(address: str, port: int, trust: ssl.SSLContext | None, timeout_s: float) -> Health | Strange | None:
    try:
        answer = answer_of(address, port, "/health", trust, timeout_s)
    except NotHttp as error:
        return Strange(f"it does not speak HTTP: {error}")
    if answer.status != 200:
        return None
    try:
        return _health_in(json.loads(answer.body))
    except (ValueError, KeyError, TypeError, RecursionError):
        return Strange("it answers something else than an appliance does")


def _health_in(told: Any) -> Health:
    """What an answer says; raises where it is none of an appliance's."""
    branch = told["branch"]
    if not isinstance(branch, str) or not branch.isprintable() or len(branch) > LONGEST:
        raise ValueError(branch)
    versions = _number(told["directory"]), _number(told["settings"])
    return Health(
        branch,
        told["enrolled"] is True,
        *versions,
        told["dicom"] is True,
        outbox_bytes=_number(told.get("outbox_bytes", 0)),
        outbox_limit_bytes=_number(told.get("outbox_limit_bytes", 0)),
        archive_bytes=_number(told.get("archive_bytes", 0)),
        archive_free_bytes=_number(told.get("archive_free_bytes", 0)),
        referrals_given_up=_number(told.get("referrals_given_up", 0)),
        set_aside=_number(told.get("set_aside", 0)),
        outbox_unwritable=told.get("outbox_writable") is False,
        clock_unset=told.get("clock_set") is False,
        restart_wanted=told.get("restart_wanted") is True,
    )


def _number(value: object) -> int:
    if type(value) is not int or not 0 <= value < MOST:
        raise ValueError(value)
    return value
