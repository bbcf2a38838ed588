"""Whether an appliance answers: its own word over HTTPS, or in clear as long as it has no certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, replace

import httpx

#: Where an appliance answers. DICOM: the port that IANA gave it.
HTTP_PORT, HTTPS_PORT, DICOM_PORT, DICOM_TLS_PORT = 8080, 8443, 11112, 2762

#: What comes of an answer that is no appliance's, and of an address that is none.
NO_ANSWER = (httpx.InvalidURL, ValueError, KeyError, TypeError)

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
    referrals_given_up
        How many ended its service each time that they were taken, and wait for the branch's admin.
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
    referrals_given_up: int = 0
    distrust: str = ""


def health_of(address: str, trust: ssl.SSLContext | None = None, timeout_s: float = 3.0) -> Health | None:
    """What the appliance at an address says; None where nothing (or something else) answers.

    Parameters
    ----------
    trust
        Who vouches for it, where the community gave it a certificate: it is asked over TLS, and believed only there.
    """
    if trust is None:
        return _told(f"http://{in_url(address)}:{HTTP_PORT}", timeout_s)
    try:
        return _asked(f"https://{in_url(address)}:{HTTPS_PORT}", timeout_s, trust)
    except httpx.HTTPError as error:
        if _was_broken_off(error):
            return None
        in_clear = _told(f"http://{in_url(address)}:{HTTP_PORT}", timeout_s)
        return None if in_clear is None else replace(in_clear, distrust=str(error) or type(error).__name__)
    except NO_ANSWER:
        return None


def in_url(address: str) -> str:
    """An address as it stands in a URL: IPv6 in brackets (RFC 3986, 3.2.2)."""
    return f"[{address}]" if ":" in address else address


def _was_broken_off(error: BaseException | None) -> bool:
    """Whether the connection ended in the middle, as at a service that is just starting: nobody was distrusted."""
    while error is not None and not isinstance(error, BROKEN_OFF):
        error = error.__cause__ or error.__context__
    return error is not None


def _told(url: str, timeout_s: float) -> Health | None:
    try:
        return _asked(url, timeout_s)
    except (httpx.HTTPError, *NO_ANSWER):
        return None


def _asked(url: str, timeout_s: float, trust: ssl.SSLContext | None = None) -> Health:
    verify = trust if trust is not None else True
    answer = httpx.get(f"{url}/health", timeout=timeout_s, trust_env=False, verify=verify)
    told = answer.raise_for_status().json()
    versions = int(told["directory"]), int(told["settings"])
    outbox = int(told.get("outbox_bytes", 0)), int(told.get("outbox_limit_bytes", 0))
    given_up = int(told.get("referrals_given_up", 0))
    return Health(str(told["branch"]), told["enrolled"] is True, *versions, told["dicom"] is True, *outbox, given_up)
