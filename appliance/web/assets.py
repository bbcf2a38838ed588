"""The style sheet, the script and the drawing that pages use."""

from fastapi import APIRouter, HTTPException, Response

from appliance.web.page import asset

router = APIRouter(include_in_schema=False)

TYPES = {"gurney.css": "text/css", "gurney.js": "text/javascript", "gurney.svg": "image/svg+xml"}
FOR_GOOD = "public, max-age=31536000, immutable"


@router.get("/static/{name}")
def static(name: str) -> Response:
    """One of the three, to be kept by the browser: its address changes with its content."""
    if name not in TYPES:
        raise HTTPException(404)
    return Response(asset(name), media_type=TYPES[name], headers={"Cache-Control": FOR_GOOD})


@router.get("/favicon.ico")
def favicon() -> Response:
    """For browsers that ask for it without looking at the page."""
    return static("gurney.svg")
