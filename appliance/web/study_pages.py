"""Pages of studies: the list, a study, a series of it, one picture."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from appliance.index.queries import SeriesRow, StudyRow, count_studies, studies
from appliance.web.page import page
from appliance.web.paging import Page, Paging
from appliance.web.seen import Ambiguous, seen
from appliance.web.strip import Frame, frames_of, instances_without
from appliance.web.visitor import Viewer, people_of

router = APIRouter(include_in_schema=False)

STUDIES_A_PAGE = 25
FRAMES_A_STRIP = 16
FRAMES_A_PAGE = 96

Text = Annotated[str, Query(max_length=200)]


@router.get("/")
def list_page(request: Request, visitor: Viewer, q: Text = "", number: Page = 1) -> Response:
    """The studies whose patient's name or ID, or accession number, match; newest first."""
    text = q.strip()
    with people_of(request).index.session() as session:
        paging = Paging(number, STUDIES_A_PAGE, count_studies(session, text))
        rows = studies(session, text, limit=paging.size, offset=paging.offset)
    return page(request, "studies.html", visitor, q=text, studies=rows, paging=paging)


@router.get("/studies/{address}")
def study_page(request: Request, visitor: Viewer, address: str) -> Response:
    """A study: each of its series with its first pictures; the choice, where the address is a UID of several."""
    try:
        found, series = seen(request, visitor, address)
    except Ambiguous as several:
        answer = page(request, "choice.html", visitor, studies=several.studies)
        answer.status_code = 300
        return answer
    strips = [(one, frames_of(one), instances_without(one)) for one in series]
    return page(request, "study.html", visitor, study=found, strips=strips, most=FRAMES_A_STRIP)


@router.get("/studies/{address}/series/{series_uid}")
def series_page(request: Request, visitor: Viewer, address: str, series_uid: str, number: Page = 1) -> Response:
    """All pictures of a series, a page at a time."""
    found, series, frames = _series(request, visitor, address, series_uid)
    paging = Paging(number, FRAMES_A_PAGE, len(frames))
    shown = frames[paging.offset : paging.offset + paging.size]
    return page(request, "series.html", visitor, study=found, series=series, frames=shown, paging=paging)


@router.get("/studies/{address}/series/{series_uid}/{position}")
def picture_page(request: Request, visitor: Viewer, address: str, series_uid: str, position: int) -> Response:
    """One picture, as large as the screen allows, with its neighbours a click away."""
    found, series, frames = _series(request, visitor, address, series_uid)
    if not 1 <= position <= len(frames):
        raise HTTPException(404, "There is no such picture.")
    frame = frames[position - 1]
    around = {name: frames[at - 1] for name, at in _neighbours(position, len(frames)).items()}
    return page(
        request, "picture.html", visitor, study=found, series=series, frame=frame, around=around, total=len(frames)
    )


def _neighbours(position: int, total: int) -> dict[str, int]:
    """Names of the places that one can go to, and where they are."""
    wanted = {"first": 1, "previous": position - 1, "next": position + 1, "last": total}
    return {name: at for name, at in wanted.items() if 1 <= at <= total and at != position}


def _series(
    request: Request, visitor: Viewer, address: str, series_uid: str
) -> tuple[StudyRow, SeriesRow, list[Frame]]:
    found, all_series = seen(request, visitor, address)
    series = next((one for one in all_series if one.series_instance_uid == series_uid), None)
    if series is None:
        raise HTTPException(404, "There is no such series in this study.")
    return found, series, frames_of(series)
