"""How a PC or phone comes to trust this page: the authority's certificate, its fingerprint, and what to do with it."""

from fastapi import APIRouter, HTTPException, Request, Response

from appliance.web.page import page
from appliance.web.visitor import people_of
from exchange.certificate import Certificate
from exchange.directory import Directory
from exchange.revocation_list import RevocationList

router = APIRouter(include_in_schema=False)

#: Ending to the media type by which browsers and phones know a certificate to be installed, and its form.
FILES = {"crt": ("application/x-x509-ca-cert", "der"), "pem": ("application/x-pem-file", "pem")}
#: The same of the revocation list (RFC 2585 4.2).
LISTS = {"crl": ("application/pkix-crl", "der"), "pem": ("application/x-pem-file", "pem")}


@router.get("/trust")
def trust_page(request: Request) -> Response:
    """What to download, what to compare it with, and where to put it."""
    known = directory_of(request)
    root, coming = authority_of(known), next_of(known)
    former = known.former_authorities if known is not None else ()
    return page(
        request,
        "trust.html",
        None,
        in_clear=request.url.scheme == "http",
        fingerprint=root.fingerprint if root is not None else "",
        until=f"{root.until:%Y-%m-%d}" if root is not None else "",
        coming=coming.fingerprint if coming is not None else "",
        former=[Certificate(text).fingerprint for text in former],
        has_list=known is not None and bool(known.revocations),
    )


@router.get("/trust/authority.{ending}")
def authority(request: Request, ending: str) -> Response:
    """The authority's certificate, as a file."""
    return certificate_file(authority_of(directory_of(request)), ending)


@router.get("/trust/next.{ending}")
def next_authority(request: Request, ending: str) -> Response:
    """The certificate of the authority that is announced, as a file."""
    return certificate_file(next_of(directory_of(request)), ending)


@router.get("/trust/revoked.{ending}")
def revoked(request: Request, ending: str) -> Response:
    """The authority's revocation list, as a file."""
    known = directory_of(request)
    if known is None or not known.revocations or ending not in LISTS:
        raise HTTPException(404)
    media_type, form = LISTS[ending]
    return Response(getattr(RevocationList(known.revocations), form), media_type=media_type)


def certificate_file(certificate: Certificate | None, ending: str) -> Response:
    """A certificate to be installed."""
    if certificate is None or ending not in FILES:
        raise HTTPException(404)
    media_type, form = FILES[ending]
    return Response(getattr(certificate, form), media_type=media_type)


def directory_of(request: Request) -> Directory | None:
    """The directory as this appliance last read it."""
    return people_of(request).directory.value


def authority_of(known: Directory | None) -> Certificate | None:
    """The authority's certificate, as the directory has it."""
    return Certificate(known.authority) if known is not None and known.authority else None


def next_of(known: Directory | None) -> Certificate | None:
    """The certificate of the authority that is announced to take its place."""
    return Certificate(known.next_authority) if known is not None and known.next_authority else None
