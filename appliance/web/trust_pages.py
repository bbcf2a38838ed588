"""How a PC or phone comes to trust this page: the authority's certificate, its fingerprint, and what to do with it."""

from fastapi import APIRouter, HTTPException, Request, Response

from appliance.web.page import page
from appliance.web.visitor import people_of
from exchange.certificate import Certificate

router = APIRouter(include_in_schema=False)

#: Ending to the media type by which browsers and phones know a certificate to be installed, and its form.
FILES = {"crt": ("application/x-x509-ca-cert", "der"), "pem": ("application/x-pem-file", "pem")}


@router.get("/trust")
def trust_page(request: Request) -> Response:
    """What to download, what to compare it with, and where to put it."""
    root = authority_of(request)
    fingerprint, until = (root.fingerprint, f"{root.until:%Y-%m-%d}") if root is not None else ("", "")
    return page(request, "trust.html", None, fingerprint=fingerprint, until=until)


@router.get("/trust/authority.{ending}")
def authority(request: Request, ending: str) -> Response:
    """The authority's certificate, as a file."""
    root = authority_of(request)
    if root is None or ending not in FILES:
        raise HTTPException(404)
    media_type, form = FILES[ending]
    return Response(getattr(root, form), media_type=media_type)


def authority_of(request: Request) -> Certificate | None:
    """The authority's certificate, as the directory has it."""
    known = people_of(request).directory.value
    return Certificate(known.authority) if known is not None and known.authority else None
