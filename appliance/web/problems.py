"""What an error looks like over HTTP: a problem document for programs (RFC 9457), a page for people."""

import http
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse

from appliance.accounts.entrance import TooManyAttempts, WrongLogin
from appliance.accounts.staff import InvitationRefused
from appliance.errors import ApplianceError, ArchiveFull
from appliance.referral.attempts import NotGivenUp
from appliance.referral.contents import NoSuchPatient, NotChosen
from appliance.referral.outbox import OutboxFull
from appliance.referral.request import NothingToRefer, NotOpen
from appliance.web.page import page
from appliance.web.visitor import NotLoggedIn, NotPermitted, StaleForm, visitor_of
from exchange.errors import ExchangeError, NotYet, Refused

STATUSES: dict[type[Exception], int] = {
    NotLoggedIn: 401,
    WrongLogin: 401,
    NotPermitted: 403,
    StaleForm: 403,
    NoSuchPatient: 404,
    NothingToRefer: 409,
    NotChosen: 409,
    NotOpen: 409,
    NotGivenUp: 409,
    Refused: 409,
    InvitationRefused: 422,
    TooManyAttempts: 429,
    ArchiveFull: 507,
    OutboxFull: 507,
    NotYet: 503,
    ExchangeError: 502,
    ApplianceError: 500,
}


def status_of(error: Exception) -> int:
    """The status of an error, by its nearest class in the table."""
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def explain_errors(app: FastAPI) -> None:
    """Give every known error its answer; bugs keep their traceback in the log and show nothing."""
    for kind in (ApplianceError, ExchangeError):
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(OperationalError, _index)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _bug)


def _known(request: Request, error: Exception) -> Response:
    if isinstance(error, NotLoggedIn) and not is_api(request):
        return RedirectResponse(f"/login?next={quote(_wanted(request))}", 303)
    return _answer(request, status_of(error), str(error), _headers(error))


def _wanted(request: Request) -> str:
    """Where the person wanted to go: only what can be asked for again."""
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query if request.method == "GET" else "/"


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, TooManyAttempts):
        return {"Retry-After": str(error.wait_s)}
    return {"WWW-Authenticate": 'Basic realm="gurney"'} if status_of(error) == http.HTTPStatus.UNAUTHORIZED else {}


def _index(request: Request, error: Exception) -> Response:
    """Say that somebody else writes in the index, such as a backup, for longer than a request waits."""
    assert isinstance(error, OperationalError)
    if "database is locked" not in str(error.orig):
        raise error
    return _answer(request, 503, "The index is busy. Try again in a minute.", {"Retry-After": "60"})


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail if error.detail != _title(error.status_code) else ""
    return _answer(request, error.status_code, detail, dict(error.headers or {}))


def _invalid(request: Request, error: Exception) -> Response:
    """Say which fields are wrong, never what they hold: it may be a password."""
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
    return _answer(request, 422, "; ".join(faults), {})


def _bug(request: Request, error: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    return _answer(request, 500, "A fault of the program. It is in the log of the appliance.", {})


def is_api(request: Request) -> bool:
    """Whether a program is asking."""
    return request.url.path.startswith("/api/")


def _answer(request: Request, status: int, detail: str, headers: dict[str, str]) -> Response:
    if is_api(request):
        return problem(status, detail, headers)
    answer = page(request, "problem.html", visitor_of(request), title=_title(status), detail=detail)
    answer.status_code = status
    answer.headers.update({name: value for name, value in headers.items() if name != "WWW-Authenticate"})
    return answer


def problem(status: int, detail: str, headers: dict[str, str]) -> Response:
    """A problem document.

    References
    ----------
    RFC 9457, Problem Details for HTTP APIs.
    """
    body: dict[str, Any] = {"type": "about:blank", "title": _title(status), "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def _title(status: int) -> str:
    return http.HTTPStatus(status).phrase
