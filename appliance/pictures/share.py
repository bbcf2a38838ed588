"""The shared folder: which folder and name an instance's pictures have, from what the index knows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from appliance.index.models import Instance, Patient, Series, Study
from appliance.keeping.namesakes import name_of
from converter.layout import LONG_DIGEST, InstanceNames, folder_of, stem_of

if TYPE_CHECKING:
    from pathlib import PurePosixPath

    from sqlalchemy import Select


def named_instances() -> Select[Instance, Series, Study, Patient]:
    """The question whose rows `place_of` understands."""
    return (
        select(Instance, Series, Study, Patient)
        .join(Series, Instance.series_key == Series.id)
        .join(Study, Series.study_key == Study.id)
        .join(Patient, Study.patient_key == Patient.id)
    )


def place_of(instance: Instance, series: Series, study: Study, patient: Patient) -> tuple[PurePosixPath, str]:
    """
    Folder, from the shared folder on, and stem of an instance's pictures.

    `Family Given (id, issuer)/date description/series/stem[-frame].png`: every part is made by
    `converter.layout`, so that no identifier leads out of the shared folder and no two share a name. A study that
    names another person than the ID's patient lies in that person's folder, and so does one that names the first. The
    stem's digest is a long one: a branch that refers could try UIDs until a short one is that of another's image.
    """
    names = InstanceNames(
        patient_name=name_of(study, patient),
        patient_id=patient.patient_id,
        study_instance_uid=study.study_instance_uid,
        study_date=study.study_date,
        study_description=study.description,
        series_instance_uid=series.series_instance_uid,
        series_number=series.number,
        series_description=series.description,
        modality=series.modality,
        sop_instance_uid=instance.sop_instance_uid,
        sop_class_uid=instance.sop_class_uid,
        instance_number=instance.number,
        frames=instance.frames,
    )
    return folder_of(names, patient.issuer), stem_of(names, LONG_DIGEST)
