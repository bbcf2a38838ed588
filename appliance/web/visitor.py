"""Who is asking: a session's cookie or a login with each request becomes a person with a role."""

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Annotated, cast

from fastapi import Depends, Form, Request, Response

from appliance.accounts.entrance import WrongLogin
from appliance.accounts.roles import AUDIT, REFER, SEE, TRY_AGAIN, may
from appliance.accounts.sessions import form_token
from appliance.errors import ApplianceError
from appliance.people import People
from appliance.referral.request import Asker
from appliance.web.views import Views

COOKIE = "gurney"
#: Where programs come by HTTP Basic: to the API, and to the pictures whose addresses it tells.
BY_BASIC = ("/api/", "/pictures/", "/thumbnails/")
#: What a page adds to its address when it looks again by itself (`?by=itself`): nobody clicked.
BY, ITSELF = "by", "itself"


class NotLoggedIn(ApplianceError):
    """Nobody in particular is asking."""


class NotPermitted(ApplianceError):
    """The person's role does not carry the right."""


class StaleForm(ApplianceError):
    """A form of another session, or of another site."""


@dataclass(frozen=True)
class Visitor:
    """A person of the staff, for the length of one request."""

    login: str
    role: str
    address: str
    token: str = field(default="", repr=False)

    @property
    def form_token(self) -> str:
        """What this session's forms carry."""
        return form_token(self.token)

    @property
    def may_refer(self) -> bool:
        """Whether to show what refers."""
        return may(self.role, REFER)

    @property
    def may_audit(self) -> bool:
        """Whether to show the audit log."""
        return may(self.role, AUDIT)

    @property
    def may_try_again(self) -> bool:
        """Whether to show what takes up again what was given up."""
        return may(self.role, TRY_AGAIN)

    @property
    def asker(self) -> Asker:
        """The person, as referrals know them."""
        return Asker(self.login, self.address)


def people_of(request: Request) -> People:
    """The people side that this app was made for."""
    return cast("People", request.app.state.people)


def views_of(request: Request) -> Views:
    """What this app recorded of views lately."""
    return cast("Views", request.app.state.views)


def address_of(request: Request) -> str:
    """The peer's address."""
    return request.client.host if request.client is not None else ""


def visitor_of(request: Request) -> Visitor | None:
    """Whose session the request carries, if anyone's; who is no longer staff has none.

    It is looked up once a request: where that fails, the page that tells so is nobody's.
    """
    if not hasattr(request.state, "visitor"):
        request.state.visitor = None
        request.state.visitor = _found(request)
    return cast("Visitor | None", request.state.visitor)


def _found(request: Request) -> Visitor | None:
    people = people_of(request)
    token = request.cookies.get(cookie_name(request), "")
    is_click = request.query_params.get(BY) != ITSELF
    login = people.sessions.login_of(token, is_click=is_click) if token else None
    member = people.settings.member(login) if login is not None else None
    return Visitor(member.login, member.role, address_of(request), token) if member is not None else None


def person(request: Request) -> Visitor:
    """The person who asks, by session, or in the API and for its pictures by HTTP Basic.

    Raises
    ------
    NotLoggedIn, WrongLogin, TooManyAttempts
    """
    found = visitor_of(request) or _by_basic(request)
    if found is None:
        raise NotLoggedIn("Log in first.")
    return found


def _by_basic(request: Request) -> Visitor | None:
    scheme, _, sealed = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic" or not request.url.path.startswith(BY_BASIC):
        return None
    if not (_is_secure(request) or is_loopback(address_of(request))):
        raise NotLoggedIn("HTTP Basic is taken over TLS only.")
    login, password = _opened(sealed)
    member = people_of(request).entrance.check(login, password, address_of(request))
    return Visitor(member.login, member.role, address_of(request))


def _opened(sealed: str) -> tuple[str, str]:
    try:
        login, colon, password = base64.b64decode(sealed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise WrongLogin("The login or the password is wrong.")
    return login, password


def is_loopback(address: str) -> bool:
    """Whether a peer is this machine."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


class Needs:
    """A dependency: the person, if their role carries a right."""

    def __init__(self, right: str) -> None:
        self.right = right

    def __call__(self, request: Request, visitor: Annotated[Visitor, Depends(person)]) -> Visitor:
        """The person; `NotPermitted`, which the audit log shows, where the right is missing."""
        if not may(visitor.role, self.right):
            people_of(request).audit.record(
                action=self.right,
                who=visitor.login,
                subject=request.url.path,
                outcome="refused",
                address=visitor.address,
            )
            raise NotPermitted("Your role does not allow this.")
        return visitor


def own_form(visitor: Annotated[Visitor, Depends(person)], token: Annotated[str, Form()] = "") -> None:
    """A dependency: the form is one of this session's."""
    if not hmac.compare_digest(token.encode(), visitor.form_token.encode()):
        raise StaleForm("This form is of an earlier session. Go back, load the page again, and try once more.")


Viewer = Annotated[Visitor, Depends(Needs(SEE))]
Referrer = Annotated[Visitor, Depends(Needs(REFER))]
Auditor = Annotated[Visitor, Depends(Needs(AUDIT))]
Retrier = Annotated[Visitor, Depends(Needs(TRY_AGAIN))]


def cookie_name(request: Request) -> str:
    """The cookie's name; over TLS one that a browser takes from this host only (RFC 6265bis 4.1.3.2)."""
    return f"__Host-{COOKIE}" if _is_secure(request) else COOKIE


def hand_out(request: Request, response: Response, token: str) -> None:
    """Put a session's token into a cookie that ends with the browser; no script and no other site's request sees it."""
    response.set_cookie(
        cookie_name(request),
        token,
        httponly=True,
        samesite="strict",
        secure=_is_secure(request),
    )


def take_back(request: Request, response: Response) -> None:
    """Remove the cookie."""
    response.delete_cookie(cookie_name(request), httponly=True, samesite="strict", secure=_is_secure(request))


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https"
