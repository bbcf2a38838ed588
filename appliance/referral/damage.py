"""The images that a referral leaves out since their files are damaged here, as people find them again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from appliance.index.models import Instance, Series, Study

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.orm import Session

    from exchange.outgoing import OutgoingFile

_MOST_NAMED = 5


def damage_told(session: Session, files: Sequence[OutgoingFile], of: int) -> str:
    """Which images are not sent, of so many, as `1 of 3 images is damaged here and is not sent: image 2`."""
    named = [_named(session, file.sop_instance_uid) for file in files[:_MOST_NAMED]]
    more = [f"and {len(files) - _MOST_NAMED} more"] if len(files) > _MOST_NAMED else []
    are = "is damaged here and is" if len(files) == 1 else "are damaged here and are"
    return f"{len(files)} of {of} images {are} not sent: {'; '.join((*named, *more))}"


def _named(session: Session, uid: str) -> str:
    wanted = select(Instance.number, Series.number, Series.modality, Study.study_date)
    row = session.execute(
        wanted.join(Series, Instance.series_key == Series.id).join(Study).where(Instance.sop_instance_uid == uid)
    )
    number, series, modality, date = row.one_or_none() or (None, None, "", "")
    if number is None:
        return uid
    of = f" of series {series}" if series is not None else ""
    return ", ".join(filter(None, (f"image {number}{of}", f"{modality} {date}".strip())))
