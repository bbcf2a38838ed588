"""The pictures themselves: a rendition as it lies in the shared folder, or small enough for a list of many."""

import io
import threading
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi import Path as PathParameter
from PIL import Image
from sqlalchemy import select
from starlette.responses import FileResponse

from appliance.index.models import Instance, Patient, Rendition, Series, Study
from appliance.web.paging import MOST
from appliance.web.visitor import Viewer, people_of, views_of

router = APIRouter(tags=["pictures"])

FrameNumber = Annotated[int, PathParameter(ge=1, le=MOST)]

#: For screens that show two pixels for one: the list shows 128.
EDGE = 256
QUALITY = 80

#: A picture is decoded whole to be made small, with up to 4 bytes a pixel, in the process that also receives: one at a
#: time, and none that is larger than any mammogram (24 million) by far. Such a one is opened in full, by a browser.
MOST_PIXELS = 40_000_000
ONE_AT_A_TIME = threading.Lock()
TOO_LARGE = "too large to show small"


@dataclass(frozen=True)
class Shown:
    """A picture, and what the audit log says of a look at it."""

    path: str
    study_instance_uid: str
    patient_id: str
    issuer: str
    rows: int
    columns: int


def picture_url(sop_instance_uid: str, frame: int) -> str:
    """Where a picture is."""
    return f"/pictures/{sop_instance_uid}/{frame}.png"


@router.get("/pictures/{sop_instance_uid}/{frame}.png", response_class=FileResponse)
def picture(request: Request, visitor: Viewer, sop_instance_uid: str, frame: FrameNumber) -> Response:
    """One frame as PNG, in full."""
    path, _ = _seen(request, visitor, sop_instance_uid, frame)
    return FileResponse(path, media_type="image/png")


@router.get("/thumbnails/{sop_instance_uid}/{frame}.jpg", response_class=Response)
def thumbnail(request: Request, visitor: Viewer, sop_instance_uid: str, frame: FrameNumber) -> Response:
    """One frame as a small JPEG, to find a picture by; never to read it."""
    path, shown = _seen(request, visitor, sop_instance_uid, frame)
    is_too_large = shown.rows * shown.columns > MOST_PIXELS
    return Response(_too_large() if is_too_large else _small(path, path.stat().st_mtime_ns), media_type="image/jpeg")


def _seen(request: Request, visitor: Viewer, sop_instance_uid: str, frame: int) -> tuple[Path, Shown]:
    people = people_of(request)
    shown = _find(request, sop_instance_uid, frame)
    path = people.archive.shared / shown.path if shown is not None else None
    if shown is None or path is None or not path.is_file():
        raise HTTPException(404, "There is no such picture.")
    views_of(request).saw(visitor.asker, shown.study_instance_uid, shown.patient_id, shown.issuer)
    return path, shown


def _find(request: Request, sop_instance_uid: str, frame: int) -> Shown | None:
    told = (Rendition.path, Study.study_instance_uid, Patient.patient_id, Patient.issuer)
    wanted = (
        select(*told, Rendition.rows, Rendition.columns)
        .join(Instance, Instance.id == Rendition.instance_key)
        .join(Series, Series.id == Instance.series_key)
        .join(Study, Study.id == Series.study_key)
        .join(Patient, Patient.id == Study.patient_key)
        .where(Instance.sop_instance_uid == sop_instance_uid, Rendition.frame == frame)
    )
    with people_of(request).index.session() as session:
        row = session.execute(wanted).first()
    return Shown(*row) if row is not None else None


@lru_cache(maxsize=2048)
def _small(path: Path, changed_ns: int) -> bytes:  # noqa: ARG001 - part of what the cache knows it by
    """About 8 kB each, so the cache holds 16 MB."""
    with ONE_AT_A_TIME, Image.open(path) as image:
        image.thumbnail((EDGE, EDGE), reducing_gap=2.0)
        return _jpeg(image.convert("RGB" if image.mode not in {"L", "RGB"} else image.mode))


@cache
def _too_large() -> bytes:
    """What stands where a picture would cost too much."""
    from PIL import ImageDraw  # with a library of fonts, for which no boot has to wait

    plain = Image.new("L", (EDGE, EDGE), 64)
    ImageDraw.Draw(plain).text((EDGE // 2, EDGE // 2), TOO_LARGE, fill=255, anchor="mm", font_size=20)
    return _jpeg(plain)


def _jpeg(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "JPEG", quality=QUALITY)
    return target.getvalue()
