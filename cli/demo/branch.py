"""A branch as its people reach it: over the HTTP API of its appliance."""

from __future__ import annotations

import secrets
import ssl
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import httpx

from appliance.errors import ApplianceError
from exchange.certificate import Certificate
from exchange.revocation_list import RevocationList
from exchange.trust import trust_in

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S = 0.2
#: An appliance hangs up after 5 s of silence (uvicorn's timeout_keep_alive): a connection is not used again that late.
SHORT = httpx.Limits(keepalive_expiry=1.0)


def checked(name: str, answer: httpx.Response) -> httpx.Response:
    """The answer of a branch, or an error that says what it refused."""
    if answer.is_error:
        raise ApplianceError(f"{name} refused {answer.request.url.path}: {_reason(answer)}")
    return answer


def _reason(answer: httpx.Response) -> str:
    """What a problem document says (RFC 9457), or the status."""
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}"


@dataclass(frozen=True)
class Login:
    """A person of the branch who may log in at its page."""

    name: str
    password: str
    role: str


@dataclass(frozen=True)
class Branch:
    """An appliance's HTTP side.

    `authority` vouches for it, where it has a certificate, but not for what its list of `revocations` names; both are
    DER as base64.
    """

    name: str
    url: str
    authority: str = field(default="", repr=False)
    revocations: str = field(default="", repr=False)

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """Whom to believe that it is this branch's appliance."""
        if not self.authority:
            return ssl.create_default_context()
        revoked = RevocationList(self.revocations) if self.revocations else None
        return trust_in(Certificate(self.authority), revoked=revoked)

    def health(self) -> dict[str, Any]:
        """What the appliance says of itself; empty while it does not answer."""
        try:
            answer = httpx.get(f"{self.url}/health", timeout=5, verify=self.trust)
        except httpx.TransportError:
            return {}
        return dict(answer.json()) if answer.is_success else {}

    def accept(self, name: str, role: str, code: str) -> Login:
        """Accept an invitation with a random password."""
        login = Login(name, secrets.token_urlsafe(12), role)
        body = {"login": name, "code": code, "password": login.password}
        checked(self.name, httpx.post(f"{self.url}/api/invitations/accept", json=body, timeout=30, verify=self.trust))
        return login

    def session(self, login: Login) -> Session:
        """Log in."""
        client = httpx.Client(base_url=self.url, timeout=30, verify=self.trust, limits=SHORT)
        checked(self.name, client.post("/api/session", json={"login": login.name, "password": login.password}))
        return Session(self, client)


@dataclass(frozen=True)
class Session:
    """One person, logged in at one branch."""

    branch: Branch
    client: httpx.Client

    def get(self, path: str) -> Any:
        """What the API answers to a GET."""
        return checked(self.branch.name, self.client.get(path)).json()

    def refer(self, patient_id: str, to: str) -> str:
        """Refer a patient to another branch; the referral's id comes back."""
        answer = self.client.post("/api/referrals", json={"patient_id": patient_id, "to": to})
        return str(checked(self.branch.name, answer).json()["referral_id"])

    def patients(self) -> list[str]:
        """The IDs of the branch's patients, as its appliance knows them: a data set need not have one."""
        return sorted({study["patient_id"] for study in self.get("/api/studies")})

    def pictures(self) -> int:
        """How many pictures the branch's studies have."""
        return sum(study["pictures"] for study in self.get("/api/studies"))

    def until_rendered(self, timeout_s: float) -> None:
        """Wait until no instance waits for its pictures."""
        self.until(lambda: all(not study["pending"] for study in self.get("/api/studies")), "pictures", timeout_s)

    def until(self, reached: Callable[[], bool], what: str, timeout_s: float) -> None:
        """Wait until a condition holds.

        Raises
        ------
        ApplianceError
            When it does not hold in time.
        """
        deadline = time.monotonic() + timeout_s
        while not reached():
            if time.monotonic() > deadline:
                raise ApplianceError(f"{self.branch.name}: no {what} within {timeout_s:.0f} s")
            time.sleep(WAIT_S)
