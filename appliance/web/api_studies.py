"""Studies over the API."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response

from appliance.index.queries import InstanceRow, SeriesRow, count_studies, series_of, studies, study
from appliance.web.api_models import InstanceOut, PictureOut, SeriesOut, StudyContentOut, StudyOut
from appliance.web.paging import MOST
from appliance.web.pictures import picture_url
from appliance.web.visitor import Viewer, people_of, views_of

router = APIRouter(prefix="/api/studies", tags=["studies"])

Text = Annotated[str, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=MOST)]
TOTAL = "X-Total-Count"


@router.get("")
def list_studies(
    request: Request,
    response: Response,
    visitor: Viewer,  # noqa: ARG001 - whoever may see
    text: Text = "",
    limit: Limit = 1000,
    offset: Offset = 0,
) -> list[StudyOut]:
    """Studies, newest first; `X-Total-Count` says how many there are in all."""
    with people_of(request).index.session() as session:
        response.headers[TOTAL] = str(count_studies(session, text))
        rows = studies(session, text, limit=limit, offset=offset)
    return [StudyOut.model_validate(row) for row in rows]


@router.get("/{uid}")
def one_study(request: Request, visitor: Viewer, uid: str) -> StudyContentOut:
    """A study with its series, instances and pictures."""
    with people_of(request).index.session() as session:
        found = study(session, uid)
        series = series_of(session, found.key) if found is not None else []
    if found is None:
        raise HTTPException(404, "There is no such study here.")
    views_of(request).saw(visitor.asker, uid, found.patient_id, found.issuer)
    facts = StudyOut.model_validate(found).model_dump(exclude={"series"})
    return StudyContentOut(**facts, series=[_series(one) for one in series])


def _series(series: SeriesRow) -> SeriesOut:
    return SeriesOut(
        series_instance_uid=series.series_instance_uid,
        number=series.number,
        description=series.description,
        modality=series.modality,
        instances=[_instance(one) for one in series.instances],
    )


def _instance(instance: InstanceRow) -> InstanceOut:
    uid = instance.sop_instance_uid
    return InstanceOut(
        sop_instance_uid=uid,
        number=instance.number,
        frames=instance.frames,
        state=instance.state,
        reason=instance.reason,
        pictures=[PictureOut(frame=p.frame, url=picture_url(uid, p.frame), path=p.path) for p in instance.pictures],
    )
