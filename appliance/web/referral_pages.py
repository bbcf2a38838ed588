"""Pages of referrals: ask for one, see how they go, take one back."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from starlette.responses import RedirectResponse

from appliance.referral.attempts import try_again
from appliance.referral.contents import NotChosen, choices_of, find_patient, kept_uids
from appliance.referral.listing import count_referrals, referrals
from appliance.web.page import page
from appliance.web.paging import Page, Paging
from appliance.web.visitor import Referrer, Retrier, Viewer, own_form, people_of
from exchange.offers import Offer

router = APIRouter(include_in_schema=False)

REFERRALS_A_PAGE = 50

Text = Annotated[str, Form(max_length=1024)]
Chosen = Annotated[list[str], Form(default_factory=list)]
Asked = Annotated[str, Query(max_length=1024)]


@router.get("/referrals")
def referrals_page(request: Request, visitor: Viewer, note: Asked = "", number: Page = 1) -> Response:
    """Referrals, a page at a time; while one of the first page is on its way, that page looks again by itself."""
    people = people_of(request)
    with people.index.session() as session:
        paging = Paging(number, REFERRALS_A_PAGE, count_referrals(session))
        rows = referrals(session, people.context.branch, limit=paging.size, offset=paging.offset)
    moving = paging.number == 1 and any(row.open for row in rows)
    facts = {"referrals": rows, "paging": paging, "moving": moving, "nothing_new": note == "nothing-new"}
    return page(request, "referrals.html", visitor, **facts)


@router.get("/refer")
def refer_page(request: Request, visitor: Referrer, patient_id: Asked, issuer: Asked) -> Response:
    """The form: which branch shall have this patient's images, and of which studies."""
    people = people_of(request)
    with people.index.session() as session:
        patient = find_patient(session, patient_id, issuer)
        images = len(kept_uids(session, issuer, patient_id))
        choices = choices_of(session, patient)
    others = list(dict.fromkeys(choice.patient_name for choice in choices if choice.is_another))
    recipients = people.directory.recipients_of(people.context.branch)
    facts = {"patient": patient, "images": images, "others": others, "recipients": recipients, "choices": choices}
    return page(request, "refer.html", visitor, **facts)


@router.post("/refer", dependencies=[Depends(own_form)])
def refer(
    request: Request,
    visitor: Referrer,
    patient_id: Text,
    issuer: Text,
    to: Text,
    studies: Chosen,
    choosing: Annotated[bool, Form()] = False,
) -> Response:
    """Ask for the referral and show the list; a form with studies to choose from has one chosen at least."""
    if choosing and not studies:
        raise NotChosen("Choose the studies to refer: none was.")
    asked = people_of(request).desk.request(patient_id, issuer, to, visitor.asker, studies)
    return RedirectResponse("/referrals" if asked.new else "/referrals?note=nothing-new", 303)


@router.post("/referrals/{referral_id}/withdraw", dependencies=[Depends(own_form)])
def withdraw(request: Request, visitor: Referrer, referral_id: str) -> Response:
    """Take a referral back and show the list."""
    people_of(request).desk.withdraw(referral_id, visitor.asker)
    return RedirectResponse("/referrals", 303)


@router.post("/referrals/{referral_id}/try-again", dependencies=[Depends(own_form)])
def take_up(request: Request, visitor: Retrier, referral_id: str, sender: Text) -> Response:
    """Let a referral that was given up be tried again and show the list."""
    people = people_of(request)
    try_again(people.index, people.audit, Offer(sender, referral_id), visitor.asker)
    return RedirectResponse("/referrals", 303)
