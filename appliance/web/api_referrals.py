"""Referrals over the API."""

from fastapi import APIRouter, HTTPException, Request, Response

from appliance.referral.attempts import try_again
from appliance.referral.listing import NEWEST, count_referrals, referral, referrals
from appliance.web.api_models import ReferralIn, ReferralOut, RequestedOut, SenderIn
from appliance.web.paging import TOTAL, Limit, Offset
from appliance.web.visitor import Referrer, Retrier, Viewer, people_of
from exchange.offers import Offer

router = APIRouter(prefix="/api/referrals", tags=["referrals"])


@router.post("", status_code=202)
def refer(request: Request, response: Response, visitor: Referrer, body: ReferralIn) -> RequestedOut:
    """Refer what a branch has not got of a patient; 200 and no instances where it has, or is sent, everything.

    409 where studies with the Patient ID name several people and none is chosen.
    """
    desk = people_of(request).desk
    asked = desk.request(body.patient_id, body.issuer, body.to, visitor.asker, body.studies or ())
    if not asked.new:
        response.status_code = 200
    return RequestedOut(referral_id=asked.referral_id, instances=asked.instances)


@router.get("")
def list_referrals(
    request: Request,
    response: Response,
    visitor: Viewer,  # noqa: ARG001 - whoever may see
    limit: Limit = NEWEST,
    offset: Offset = 0,
) -> list[ReferralOut]:
    """
    Referrals, sent and received: those on their way first, then the others, each newest first.

    `X-Total-Count` says how many there are in all.
    """
    people = people_of(request)
    with people.index.session() as session:
        response.headers[TOTAL] = str(count_referrals(session))
        rows = referrals(session, people.context.branch, limit=limit, offset=offset)
    return [ReferralOut.model_validate(row) for row in rows]


@router.get("/{referral_id}")
def one_referral(request: Request, visitor: Viewer, referral_id: str) -> ReferralOut:  # noqa: ARG001 - whoever may see
    """How a referral stands."""
    people = people_of(request)
    with people.index.session() as session:
        row = referral(session, people.context.branch, referral_id)
    if row is None:
        raise HTTPException(404, "There is no such referral here.")
    return ReferralOut.model_validate(row)


@router.delete("/{referral_id}", status_code=204)
def withdraw(request: Request, visitor: Referrer, referral_id: str) -> None:
    """Take a referral back that has not arrived."""
    people_of(request).desk.withdraw(referral_id, visitor.asker)


@router.post("/{referral_id}/try-again", status_code=204)
def take_up(request: Request, visitor: Retrier, referral_id: str, body: SenderIn) -> None:
    """Let a referral that was given up be tried again."""
    people = people_of(request)
    try_again(people.index, people.audit, Offer(body.sender, referral_id), visitor.asker)
