"""Where pictures go: a folder, and how it is laid out."""

from __future__ import annotations

import string
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

from converter.errors import ConversionError
from converter.layout import InstanceNames, digest, folder_of, person, safe, stem_of

FOLDERS, FLAT = "folders", "flat"


@dataclass(frozen=True, slots=True)
class Target:
    """A folder for pictures.

    Attributes
    ----------
    layout : str
        `"folders"` (patient/study/series/instance), `"flat"`, or a template such as
        `"{patient_id}/{study_date}/{modality} {instance_number}"`. A template may use every attribute of
        `converter.layout.InstanceNames`, and `uid` for a digest of the SOP Instance UID; each part becomes a safe name.
    """

    folder: Path
    layout: str = FOLDERS

    def place(self, names: InstanceNames, source: str) -> tuple[Path, str]:
        """Folder and stem of an instance's pictures.

        Parameters
        ----------
        source : str
            Name of the file; it stands for the SOP Instance UID where the object has none.
        """
        names = names if names.sop_instance_uid else replace(names, sop_instance_uid=source)
        if self.layout == FOLDERS:
            return self.folder / folder_of(names), stem_of(names)
        if self.layout == FLAT:
            return self.folder, safe(f"{names.modality} {stem_of(names)}")
        path = templated(self.layout, names)
        return self.folder / path.parent, path.name


def templated(template: str, names: InstanceNames) -> PurePosixPath:
    """The path that a template gives; no part of it can be `..`, absolute, or hold a separator from a value.

    Raises
    ------
    ConversionError
        Where the template names something that an instance is not known by.
    """
    fields = asdict(names) | {"patient_name": person(names.patient_name), "uid": digest(names.sop_instance_uid)}
    values = {key: "" if value is None else str(value).replace("/", "_") for key, value in fields.items()}
    try:
        text = string.Formatter().vformat(template, (), values)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ConversionError(f"the layout {template!r} is wrong at {error}; fields are {', '.join(values)}") from error
    parts = [safe(part) for part in text.split("/") if part.strip()]
    return PurePosixPath(*(parts or ["_"]))
