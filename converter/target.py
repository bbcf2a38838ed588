"""Where pictures go: a folder, and how it is laid out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from converter.layout import LONG_DIGEST, InstanceNames, folder_of, safe, stem_of
from converter.template import fields_of, templated

if TYPE_CHECKING:
    from pathlib import Path, PurePosixPath

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
        Where it uses neither `uid` nor `sop_instance_uid`, ` {uid}` is added, so that no two instances share a name;
        a part that is too long is shortened before them.

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
            return self.folder, safe(f"{names.modality[:16]} {stem_of(names, LONG_DIGEST)}")
        path = templated(self.layout, names)
        return self.folder / path.parent, path.name


@lru_cache(maxsize=256)
def _below(folder: Path, relative: PurePosixPath) -> Path:
    """The same path for all of a series, made once."""
    return folder / relative
