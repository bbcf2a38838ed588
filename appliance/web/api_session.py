"""The API's door: sessions and invitations."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from appliance.web.api_models import InvitationIn, LoginIn
from appliance.web.visitor import Visitor, address_of, hand_out, people_of, person, take_back

router = APIRouter(prefix="/api", tags=["session"])


@router.post("/session", status_code=204)
def log_in(request: Request, response: Response, body: LoginIn) -> None:
    """Open a session; its cookie comes with the answer."""
    people = people_of(request)
    token = people.entrance.enter(body.login, body.password, address_of(request))
    hand_out(request, response, token)


@router.delete("/session", status_code=204)
def log_out(request: Request, response: Response, visitor: Annotated[Visitor, Depends(person)]) -> None:
    """End the session."""
    people = people_of(request)
    people.entrance.leave(visitor.token, visitor.login, visitor.address)
    take_back(request, response)


@router.post("/invitations/accept", status_code=204)
def accept(request: Request, body: InvitationIn) -> None:
    """Accept an invitation by its code, and set the password."""
    people_of(request).entrance.accept(body.login, body.code, body.password, address_of(request))
