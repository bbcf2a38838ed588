"""Where pictures go: a folder, and how it is laid out."""

from __future__ import annotations

import string
from dataclasses import asdict, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

from converter.errors import ConversionError
from converter.layout import InstanceNames, digest, folder_of, person, safe, stem_of

FOLDERS, FLAT = "folders", "flat"
_FIELDS = (*(field.name for field in fields(InstanceNames)), "uid")


@dataclass(frozen=True, slots=True)
class Target:
    """A folder for pictures.

    Attributes
    ----------
    layout : str
        `"folders"` (patient/study/series/instance), `"flat"`, or a template such as
        `"{patient_id}/{study_date}/{modality} {instance_number}"`. A template may use every attribute of
        `converter.layout.InstanceNames`, and `uid` for a digest of the SOP Instance UID; each part becomes a safe name.
        Where it uses neither `uid` nor `sop_instance_uid`, ` {uid}` is added, so that no two instances share a name.

    Raises
    ------
    ConversionError
        Where a template names something that an instance is not known by.
    """

    folder: Path
    layout: str = FOLDERS

    def __post_init__(self) -> None:
        """Refuse a template that cannot be filled in."""
        if self.layout not in (FOLDERS, FLAT):
            fields_of(self.layout)

    def place(self, names: InstanceNames, source: str) -> tuple[Path, str]:
        """Folder and stem of an instance's pictures.

        Parameters
        ----------
        source : str
            Name of the file; it stands for the SOP Instance UID where the object has none.
        """
        names = names if names.sop_instance_uid else replace(names, sop_instance_uid=source)
        if self.layout == FOLDERS:
            return _below(self.folder, folder_of(names)), stem_of(names)
        if self.layout == FLAT:
            return self.folder, safe(f"{names.modality} {stem_of(names)}")
        path = templated(self.layout, names)
        return self.folder / path.parent, path.name


@lru_cache(maxsize=256)
def _below(folder: Path, relative: PurePosixPath) -> Path:
    """The same path for all of a series, made once."""
    return folder / relative


def fields_of(template: str) -> set[str]:
    """The fields that a template uses.

    Raises
    ------
    ConversionError
        Where it is no template, or uses something that an instance is not known by.
    """
    try:
        used = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise ConversionError(f"the layout {template!r} is wrong: {error}") from error
    if unknown := sorted(used - set(_FIELDS)):
        raise ConversionError(f"the layout {template!r} is wrong at {unknown[0]!r}; fields are {', '.join(_FIELDS)}")
    return used


def templated(template: str, names: InstanceNames) -> PurePosixPath:
    """The path that a template gives; no part of it can be `..`, absolute, or hold a separator from a value.

    Raises
    ------
    ConversionError
        Where a value cannot be written as the template says.
    """
    values = asdict(names) | {"patient_name": person(names.patient_name), "uid": digest(names.sop_instance_uid)}
    texts = {key: "" if value is None else str(value).replace("/", "_") for key, value in values.items()}
    unique = template if fields_of(template) & {"uid", "sop_instance_uid"} else f"{template} {{uid}}"
    try:
        text = string.Formatter().vformat(unique, (), texts)
    except ValueError as error:
        raise ConversionError(f"the layout {template!r} is wrong: {error}") from error
    parts = [safe(part) for part in text.split("/") if part.strip()]
    return PurePosixPath(*(parts or ["_"]))
