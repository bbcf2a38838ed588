"""The acceptance of a branch: what must work is tried, and so is what must not."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx

from appliance.dimse.scu import Peer, echo, send
from appliance.errors import ApplianceError
from provision.fleet.health import DICOM_TLS_PORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cli.demo.branch import Session
    from provision.declaring.community import Community
    from provision.fleet.branch_status import BranchStatus

PICTURE_WITHIN_S, ARRIVED_WITHIN_S = 120.0, 180.0
STRANGER = "GURNEY-STRANGER"


@dataclass(frozen=True)
class Check:
    """One thing that was tried, and how it went."""

    branch: str
    name: str
    passed: bool
    words: str
    seconds: float


@dataclass(frozen=True)
class Ward:
    """A branch under test: where it is, who is logged in, the test image, and the other branches."""

    status: BranchStatus
    session: Session
    image: Path
    patient_id: str
    calling: str
    others: dict[str, Session]
    may_refer: tuple[str, ...]

    @property
    def peer(self) -> Peer:
        """Its DICOM side."""
        return Peer.at(self.status.dicom)


def answers(ward: Ward) -> str:
    """C-ECHO."""
    _require(echo(ward.peer, calling=ward.calling), f"{ward.peer} does not answer C-ECHO")
    return str(ward.peer)


def answers_over_tls(ward: Ward) -> str:
    """C-ECHO over TLS, as the community's authority vouches for it; and nothing where nobody vouches."""
    _require(bool(ward.session.branch.authority), "the branch has no certificate")
    over_tls = replace(ward.peer, port=DICOM_TLS_PORT, trust=ward.session.branch.trust)
    _require(echo(over_tls, calling=ward.calling), f"{over_tls} does not answer C-ECHO over TLS")
    web = replace(over_tls, trust=ssl.create_default_context())
    _require(not echo(web, calling=ward.calling), f"{over_tls} is trusted though nobody vouches for it")
    return str(over_tls)


def stores(ward: Ward) -> str:
    """C-STORE of the test image."""
    return f"{len(list(send([ward.image], ward.peer, ward.calling)))} instance"


def finds(ward: Ward) -> str:
    """The study is listed."""
    _require(_knows(ward.session, ward.patient_id), f"no study of {ward.patient_id}")
    return ward.patient_id


def shows(ward: Ward) -> str:
    """The picture is made."""
    ward.session.until_rendered(PICTURE_WITHIN_S)
    pictures = sum(each["pictures"] for each in _studies(ward.session, ward.patient_id))
    _require(pictures > 0, "no picture was made")
    return f"{pictures} picture"


def refers(ward: Ward) -> str:
    """A referral to a neighbour arrives whole."""
    if not ward.may_refer:
        return "it may refer to nobody"
    to = ward.may_refer[0]
    number = ward.session.refer(ward.patient_id, to)

    def arrived() -> bool:
        told = ward.session.get(f"/api/referrals/{number}")
        _require(not told.get("refused"), f"{to} refused: {told.get('refused')}")
        return bool(told["arrived"] == told["total"] > 0)

    ward.session.until(arrived, f"arrival at {to}", ARRIVED_WITHIN_S)
    _require(_knows(ward.others[to], ward.patient_id), f"{to} does not list it")
    return f"to {to}"


def keeps_strangers_out(ward: Ward) -> str:
    """An undeclared device is refused."""
    try:
        list(send([ward.image], ward.peer, STRANGER))
    except ApplianceError as error:
        return str(error)
    raise ApplianceError(f"it took an image from {STRANGER}, which is not declared")


def asks_for_a_login(ward: Ward) -> str:
    """Studies are not shown without a login."""
    place, trust = ward.session.branch.url, ward.session.branch.trust
    code = httpx.get(f"{place}/api/studies", timeout=30, trust_env=False, verify=trust).status_code
    _require(code in {401, 403}, f"it answered {code} without a login")
    return f"refused with {code}"


def is_apart(ward: Ward) -> str:
    """Branches to which nothing was referred know nothing of the patient."""
    outside = [name for name in ward.others if name not in ward.may_refer[:1]]
    leaks = [name for name in outside if _knows(ward.others[name], ward.patient_id)]
    _require(not leaks, f"{', '.join(leaks)} can see it")
    return f"unknown to {', '.join(outside) or 'nobody else'}"


def refuses_forbidden_referrals(ward: Ward) -> str:
    """A branch to which it may not refer is refused."""
    forbidden = [name for name in ward.others if name not in ward.may_refer]
    for name in forbidden:
        try:
            ward.session.refer(ward.patient_id, name)
        except ApplianceError:
            continue
        raise ApplianceError(f"it took a referral to {name}, which is not allowed")
    return f"to {', '.join(forbidden)}" if forbidden else "everyone is allowed"


#: What is tried in each branch, in this order.
CHECKS: dict[str, Callable[[Ward], str]] = {
    "answers C-ECHO": answers,
    "answers C-ECHO over TLS": answers_over_tls,
    "stores by C-STORE": stores,
    "finds the study": finds,
    "shows its picture": shows,
    "refuses an undeclared device": keeps_strangers_out,
    "asks for a login": asks_for_a_login,
    "refers to a neighbour": refers,
    "keeps it from all others": is_apart,
    "refuses a forbidden referral": refuses_forbidden_referrals,
}


def tried(ward: Ward, name: str) -> Check:
    """One check, with what it said."""
    began = time.perf_counter()
    try:
        passed, words = True, CHECKS[name](ward)
    except (ApplianceError, httpx.HTTPError) as error:
        passed, words = False, str(error)
    return Check(ward.status.name, name, passed, words, round(time.perf_counter() - began, 3))


def allowed(community: Community, name: str) -> tuple[str, ...]:
    """To whom a branch may refer, by the names that appliances know."""
    return tuple(to for sender, to in community.pairs_by_first_name() if sender == community.first_name(name))


def _studies(session: Session, patient_id: str) -> list[dict[str, int]]:
    return [study for study in session.get("/api/studies") if study["patient_id"] == patient_id]


def _knows(session: Session, patient_id: str) -> bool:
    return bool(_studies(session, patient_id))


def _require(holds: bool, words: str) -> None:
    if not holds:
        raise ApplianceError(words)
