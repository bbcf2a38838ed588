"""One study that somebody looks at: found by its address, or by a UID that only one patient's study has."""

from fastapi import HTTPException, Request

from appliance.index.queries import SeriesRow, StudyRow, series_of, studies_at
from appliance.web.visitor import Visitor, people_of, views_of


class Ambiguous(HTTPException):
    """Several patients have a study of this UID: `studies` are the choice."""

    def __init__(self, studies: list[StudyRow]) -> None:
        self.studies = studies
        named = ", ".join(f"{one.address} (patient {one.patient_id} of {one.issuer})" for one in studies)
        super().__init__(409, f"Several patients have a study of this UID. Say whose: {named}.")


def seen(request: Request, visitor: Visitor, address: str) -> tuple[StudyRow, list[SeriesRow]]:
    """
    The study and its series; the look is in the audit log.

    Raises
    ------
    HTTPException
        There is none; `Ambiguous`, which is one too, where there are several.
    """
    with people_of(request).index.session() as session:
        found = studies_at(session, address)
        series = series_of(session, found[0].key) if len(found) == 1 else []
    if not found:
        raise HTTPException(404, "There is no such study here.")
    if len(found) > 1:
        raise Ambiguous(found)
    (study,) = found
    views_of(request).saw(visitor.asker, study.study_instance_uid, study.patient_id, study.issuer)
    return study, series
