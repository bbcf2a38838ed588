"""A page: a template filled in for a visitor."""

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from appliance.web.visitor import Visitor, people_of
from appliance.web.words import FILTERS

PLACES = (("/", "Studies"), ("/referrals", "Referrals"))
AUDIT_PLACE = ("/audit", "Audit")

FOLDER = files("appliance") / "pages"


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("appliance", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    environment.globals["asset"] = asset_url
    return environment


def page(request: Request, name: str, visitor: Visitor | None, **values: Any) -> HTMLResponse:
    """The page of a template's name; every page knows the house, the visitor and where it is."""
    people = people_of(request)
    template = _templates().get_template(name)
    text = template.render(
        house=people.directory.title_of(people.context.branch),
        own_branch=people.context.branch,
        title_of=people.directory.title_of,
        visitor=visitor,
        here=request.url.path,
        places=(*PLACES, AUDIT_PLACE) if visitor is not None and visitor.may_audit else PLACES,
        **values,
    )
    return HTMLResponse(text)


@cache
def asset(name: str) -> bytes:
    """The content of a style sheet, script or drawing."""
    return (FOLDER / name).read_bytes()


@cache
def asset_url(name: str) -> str:
    """Its address, which changes with its content, so that browsers may keep it."""
    return f"/static/{name}?{hashlib.sha256(asset(name)).hexdigest()[:12]}"
