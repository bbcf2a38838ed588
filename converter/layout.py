"""What folders and pictures are called: names that a person can read and that Windows, SMB and POSIX allow."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from converter.dicom import tags

if TYPE_CHECKING:
    from converter.dicom.header import Header

# Signs that Windows or SMB forbid in names, and control characters.
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
_RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?$", re.IGNORECASE)
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Windows opens no path of more than 259 signs: patient, study, series and picture together stay below 230.
PART_LENGTH = 44
_NAME_LENGTH = 36
# 32 bits keep the instances of a series apart; of 100,000 images in one folder two would share them in most runs.
SHORT_DIGEST, LONG_DIGEST = 8, 16


# What names a series; every instance of it says the same.
_OF_A_SERIES = (
    tags.SPECIFIC_CHARACTER_SET,
    tags.PATIENT_NAME,
    tags.PATIENT_ID,
    tags.STUDY_INSTANCE_UID,
    tags.STUDY_DATE,
    tags.STUDY_DESCRIPTION,
    tags.SERIES_INSTANCE_UID,
    tags.SERIES_NUMBER,
    tags.SERIES_DESCRIPTION,
    tags.MODALITY,
)


@dataclass(frozen=True, slots=True)
class InstanceNames:
    """What an instance is known by."""

    patient_name: str
    patient_id: str
    study_instance_uid: str
    study_date: str
    study_description: str
    series_instance_uid: str
    series_number: int | None
    series_description: str
    modality: str
    sop_instance_uid: str
    sop_class_uid: str
    instance_number: int | None
    frames: int


def names_of(header: Header) -> InstanceNames:
    """The names of a dataset, as `converter.dicom.part10.read(path).header` gives it."""
    return replace(
        header.derived(_OF_A_SERIES, _series_names),
        sop_instance_uid=header.text(tags.SOP_INSTANCE_UID),
        sop_class_uid=header.text(tags.SOP_CLASS_UID),
        instance_number=header.integer(tags.INSTANCE_NUMBER),
        frames=header.integer(tags.NUMBER_OF_FRAMES) or 1,
    )


def _series_names(header: Header) -> InstanceNames:
    """The names that a series has, and none of an instance."""
    return InstanceNames(
        patient_name=header.text(tags.PATIENT_NAME),
        patient_id=header.text(tags.PATIENT_ID),
        study_instance_uid=header.text(tags.STUDY_INSTANCE_UID),
        study_date=header.text(tags.STUDY_DATE),
        study_description=header.text(tags.STUDY_DESCRIPTION),
        series_instance_uid=header.text(tags.SERIES_INSTANCE_UID),
        series_number=header.integer(tags.SERIES_NUMBER),
        series_description=header.text(tags.SERIES_DESCRIPTION),
        modality=header.text(tags.MODALITY),
        sop_instance_uid="",
        sop_class_uid="",
        instance_number=None,
        frames=1,
    )


def folder_of(names: InstanceNames, issuer: str | None = None) -> PurePosixPath:
    """Folder of an instance's pictures: patient, study, series.

    Two patients, studies or series never share a folder: what the readable part leaves out, a short digest of the
    identifier keeps apart.

    Parameters
    ----------
    issuer : str, optional
        The branch that issued the patient ID.
    """
    return _folder(patient_folder(names, issuer), study_folder(names), series_folder(names))


@lru_cache(maxsize=256)
def _folder(patient: str, study: str, series: str) -> PurePosixPath:
    return PurePosixPath(patient, study, series)


def patient_folder(names: InstanceNames, issuer: str | None = None) -> str:
    """`Family Given (id, issuer)`; a digest is added where name or id had to be changed to be a name.

    Windows and SMB take names that differ by capitals for one, so an id in small letters has the digest too, and a
    name is written `Family Given` where it came in capitals.
    """
    full = person(names.patient_name)
    known = [part for part in (names.patient_id, issuer) if part]
    readable = [part for part in known if safe(part, keep_empty=True)]  # an ID may have nothing but invisible signs
    name = safe(full.title() if full.isupper() else full, _NAME_LENGTH, keep_empty=True) or "Unnamed"
    shown = safe(", ".join(readable), _NAME_LENGTH, keep_empty=True)
    exact = shown == ", ".join(known) and name == full.title() and names.patient_id == names.patient_id.upper()
    identity = f"{names.patient_name}\\{names.patient_id}\\{issuer or ''}"
    return f"{name} ({shown})" if exact and shown else f"{name} ({shown or 'no id'}) {digest(identity)}"


def study_folder(names: InstanceNames) -> str:
    """`2024-01-31 description digest`."""
    date = _date(names.study_date)
    return safe(f"{date} {names.study_description}".strip(), PART_LENGTH) + f" {digest(names.study_instance_uid)}"


def series_folder(names: InstanceNames) -> str:
    """`003 CT description digest`."""
    number = "" if names.series_number is None else f"{names.series_number:03d}"
    shown = " ".join(filter(None, (number, names.modality, names.series_description)))
    return safe(shown or "Series", PART_LENGTH) + f" {digest(names.series_instance_uid)}"


def stem_of(names: InstanceNames, letters: int = SHORT_DIGEST) -> str:
    """Name of an instance's picture without its suffix: `0012 digest`.

    Parameters
    ----------
    letters : int
        How long the digest is: short within a series, long where many series share a folder.
    """
    number = "" if names.instance_number is None else f"{names.instance_number:04d} "
    return f"{number}{digest(names.sop_instance_uid, letters)}"


def frame_stem(stem: str, frame: int, frames: int) -> str:
    """Stem of one frame's picture: `stem` itself, or `stem-0001` where there are several."""
    return stem if frames == 1 else f"{stem}-{frame:0{max(4, len(str(frames)))}d}"


@lru_cache(maxsize=1024)
def digest(identifier: str, letters: int = SHORT_DIGEST) -> str:
    """Letters and digits that stand for an identifier."""
    return hashlib.blake2b(identifier.encode("utf-8", "surrogatepass"), digest_size=letters // 2).hexdigest()


@lru_cache(maxsize=256)
def person(name: str) -> str:
    """A person name as people write it: `Family Given Middle` of the first group that says something (PS3.5 6.2.1)."""
    groups = [group.replace("^", " ") for group in name.split("=")]
    return next((" ".join(group.split()) for group in groups if group.strip()), "")


@lru_cache(maxsize=1024)
def safe(text: str, length: int = 60, *, keep_empty: bool = False) -> str:
    """The text as one part of a path that every system takes: never empty, `..`, reserved or hidden."""
    normal = unicodedata.normalize("NFC", _FORBIDDEN.sub("_", text))
    visible = "".join(letter for letter in normal if unicodedata.category(letter) not in _INVISIBLE)
    part = " ".join(visible.split()).lstrip(".~ ")
    part = part.encode()[: 2 * length].decode("utf-8", "ignore")[:length].rstrip(". ")
    if _RESERVED.match(part):
        part = "_" + part
    return part or ("" if keep_empty else "_")


def _date(text: str) -> str:
    digits = text.replace(".", "")[:8]
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}" if len(digits) == 8 and digits.isdecimal() else "undated"
