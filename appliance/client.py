"""A client of an appliance's API, as a program of the house uses it."""

from __future__ import annotations

import re
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import httpx

from appliance.errors import ApplianceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

TIMEOUT_S = 30.0
DETAIL_SIGNS = 300
#: An appliance hangs up after 5 s of silence (uvicorn's timeout_keep_alive): a connection is not used again that late.
SHORT = httpx.Limits(keepalive_expiry=1.0)

#: What we go by in the answers of an appliance; whatever else answers at an address says something else.
HEALTH = {"secure": bool}
REQUESTED = {"referral_id": str}
REFERRAL: dict[str, type] = dict.fromkeys(("to", "state", "refused"), str)
REFERRAL |= dict.fromkeys(("total", "arrived", "parcels", "parcels_written"), int)


class ApplianceAnswered(ApplianceError):
    """The appliance refused; `status` is its HTTP status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotTrusted(ApplianceError):
    """The appliance shows no certificate that we believe; nothing was sent to it."""


class ApplianceClient:
    """A session at one appliance; a context manager that ends it.

    Parameters
    ----------
    url
        The root of its pages, as `https://10.20.1.10:8443`.
    trust
        Whom to believe that it is this appliance; None for those whom this machine trusts.
    """

    def __init__(self, url: str, trust: ssl.SSLContext | None = None) -> None:
        self._url = url.rstrip("/")
        with self._translated():
            verify = trust or ssl.create_default_context()
            self._client = httpx.Client(
                base_url=self._url, timeout=TIMEOUT_S, trust_env=False, verify=verify, limits=SHORT
            )

    def is_secure(self) -> bool:
        """Whether it shows a certificate over HTTPS, which it tells in clear to whoever asks."""
        return bool(self._told(self._call("GET", "/health"), HEALTH)["secure"])

    def log_in(self, login: str, password: str) -> None:
        """Open a session.

        Raises
        ------
        ApplianceAnswered
            Wrong login or password, or too many attempts.
        ApplianceError
            It does not answer, or is no appliance.
        """
        answer = self._call("POST", "/api/session", json={"login": login, "password": password})
        if answer.status_code != httpx.codes.NO_CONTENT:
            raise self._stranger()

    def refer(self, patient_id: str, to: str, issuer: str | None = None, studies: Sequence[str] = ()) -> dict[str, Any]:
        """Ask for a referral, of some studies or of all; its `referral_id` and the number of new `instances`."""
        optional = {"issuer": issuer, "studies": list(studies)}
        body = {"patient_id": patient_id, "to": to} | {name: value for name, value in optional.items() if value}
        return self._told(self._call("POST", "/api/referrals", json=body), REQUESTED)

    def referral(self, referral_id: str) -> dict[str, Any]:
        """How a referral stands."""
        return self._told(self._call("GET", f"/api/referrals/{referral_id}"), REFERRAL)

    def _call(self, method: str, path: str, **what: Any) -> httpx.Response:
        with self._translated():
            answer = self._client.request(method, path, **what)
        if answer.is_error or answer.has_redirect_location:
            raise ApplianceAnswered(f"{self._url} refuses: {_detail(answer)}", answer.status_code)
        return answer

    def _told(self, answer: httpx.Response, facts: Mapping[str, type]) -> dict[str, Any]:
        """The document of an answer, which holds these facts at least."""
        document = _document(answer)
        if not all(isinstance(document.get(name), kind) for name, kind in facts.items()):
            raise self._stranger()
        return document

    def _stranger(self) -> ApplianceError:
        return ApplianceError(f"{self._url} does not answer as an appliance does: is it the right address?")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            if _is_distrusted(error):
                raise NotTrusted(
                    f"{self._url} cannot be trusted: {error}. Give the authority's certificate with --ca (it is at "
                    "the page under /trust; compare its fingerprint), or do not go on"
                ) from error
            raise ApplianceError(f"{self._url} does not answer: {_words(error)}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the session as far as that is still possible."""
        try:
            if self._client.cookies:
                self._client.delete("/api/session")
        except httpx.HTTPError:
            pass  # it ends by itself
        finally:
            self._client.close()


def _is_distrusted(error: BaseException | None) -> bool:
    """Whether a certificate was the reason, somewhere among the causes."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _detail(answer: httpx.Response) -> str:
    if answer.has_redirect_location:
        return f"it is at {answer.headers['location']}"
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        problem = _document(answer)
        return str(problem.get("detail") or problem.get("title") or f"status {answer.status_code}")
    if answer.headers.get("content-type", "").startswith("text/plain"):
        return answer.text.strip()[:DETAIL_SIGNS]
    return f"status {answer.status_code}"


def _document(answer: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer; an empty one where it holds none."""
    try:
        document = answer.json()
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _words(error: Exception) -> str:
    """What happened, without the number that the system has for it."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
