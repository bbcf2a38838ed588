"""Studies over the API."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from appliance.index.queries import InstanceRow, SeriesRow, count_studies, studies
from appliance.web.api_models import InstanceOut, PictureOut, SeriesOut, StudyContentOut, StudyOut
from appliance.web.paging import TOTAL, Limit, Offset
from appliance.web.pictures import picture_url
from appliance.web.seen import seen
from appliance.web.visitor import Viewer, people_of

router = APIRouter(prefix="/api/studies", tags=["studies"])

Text = Annotated[str, Query(max_length=200)]


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


@router.get("/{uid}", responses={409: {"description": "Several patients have a study of this UID."}})
def one_study(request: Request, visitor: Viewer, uid: str) -> StudyContentOut:
    """
    A study with its series, instances and pictures, by its `address` or by its Study Instance UID.

    Where several patients have a study of this UID, the UID alone is answered with 409, whose detail names their
    addresses.
    """
    found, series = seen(request, visitor, uid)
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
