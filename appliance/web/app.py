"""The web application of an appliance: its pages, its API, and what guards them."""

import socket

from fastapi import FastAPI

from appliance.people import People
from appliance.web import (
    api_audit,
    api_referrals,
    api_session,
    api_studies,
    assets,
    audit_pages,
    health,
    pictures,
    referral_pages,
    session_pages,
    study_pages,
    trust_pages,
)
from appliance.web.guards import Armour, Encrypted, OwnHost, OwnOrigin, SmallBody
from appliance.web.problems import explain_errors
from appliance.web.views import Views

NOUNS = (
    health,
    session_pages,
    study_pages,
    pictures,
    referral_pages,
    audit_pages,
    assets,
    trust_pages,
    api_session,
    api_studies,
    api_referrals,
    api_audit,
)


def web_app(people: People) -> FastAPI:
    """The application for an ASGI server; `/api/openapi.json` describes its API."""
    app = FastAPI(
        title=f"Gurney appliance {people.context.branch}",
        description="The images of one branch hospital, and their referral to others.",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.people = people
    app.state.views = Views(people.audit)
    for noun in NOUNS:
        app.include_router(noun.router)
    explain_errors(app)
    app.add_middleware(OwnOrigin)
    app.add_middleware(SmallBody)
    app.add_middleware(Encrypted, secure_port=lambda: people.secure_port)
    own = frozenset({people.context.branch, socket.gethostname().lower()})
    app.add_middleware(OwnHost, names=own, vouched=lambda: people.tls.names)
    app.add_middleware(Armour)
    return app
