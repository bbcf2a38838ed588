"""Pages of coming and going: log in, log out, accept an invitation."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse

from appliance.accounts.entrance import TooManyAttempts, WrongLogin
from appliance.accounts.staff import InvitationRefused
from appliance.web.page import page
from appliance.web.problems import status_of
from appliance.web.visitor import Visitor, address_of, hand_out, own_form, people_of, person, take_back, visitor_of

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=1024)]
NOTES = {"password": "Your password is set. Log in with it now.", "": ""}


@router.get("/login")
def login_page(request: Request, next: str = "/", note: str = "", login: str = "") -> Response:  # noqa: A002 - the address says so
    """The form; whoever is logged in already goes on."""
    if visitor_of(request) is not None:
        return RedirectResponse(own_path(next), 303)
    return page(request, "login.html", None, next=next, login=login, note=NOTES.get(note, ""), fault="")


@router.post("/login")
def log_in(request: Request, login: Text, password: Text, next: Text = "/") -> Response:  # noqa: A002 - the form says so
    """Open a session and go where the person wanted to."""
    people = people_of(request)
    try:
        token = people.entrance.enter(login.strip(), password, address_of(request))
    except (WrongLogin, TooManyAttempts) as error:
        answer = page(request, "login.html", None, next=next, login=login, note="", fault=str(error))
        answer.status_code = status_of(error)
        return answer
    response = RedirectResponse(own_path(next), 303)
    hand_out(request, response, token)
    return response


def own_path(wanted: str) -> str:
    """A place on this site, whatever the address or the form said."""
    return wanted if wanted.startswith("/") and not wanted.startswith(("//", "/\\")) else "/"


@router.post("/logout", dependencies=[Depends(own_form)])
def log_out(request: Request, visitor: Annotated[Visitor, Depends(person)]) -> Response:
    """End the session."""
    people = people_of(request)
    people.entrance.leave(visitor.token, visitor.login, visitor.address)
    response = RedirectResponse("/login", 303)
    take_back(request, response)
    return response


@router.get("/invitation")
def invitation_page(request: Request, login: str = "") -> Response:
    """The form."""
    return page(request, "invitation.html", None, login=login, code="", faults=())


@router.post("/invitation")
def accept(request: Request, login: Text, code: Text, password: Text, again: Text) -> Response:
    """Set the password and go on to the login."""
    if password != again:
        return _once_more(request, login, code, InvitationRefused("The two passwords differ."))
    try:
        people_of(request).entrance.accept(login.strip(), code, password, address_of(request))
    except (InvitationRefused, TooManyAttempts) as error:
        return _once_more(request, login, code, error)
    return RedirectResponse("/login?note=password", 303)


def _once_more(request: Request, login: str, code: str, error: InvitationRefused | TooManyAttempts) -> Response:
    faults = error.reasons if isinstance(error, InvitationRefused) else (str(error),)
    answer = page(request, "invitation.html", None, login=login, code=code, faults=faults)
    answer.status_code = status_of(error)
    return answer
