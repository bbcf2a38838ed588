"""The header of an instance: what the index needs to find it again."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.errors import Unreadable
from converter.dicom import part10, tags
from converter.dicom.elements import UNDEFINED
from converter.dicom.tags import Tag
from converter.errors import ConversionError, TooLarge
from converter.letters import in_a_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from converter.dicom.elements import Buffer
    from converter.dicom.header import Header as Elements

#: An identity that is longer is refused; a name or description is cut (PS3.5 6.2 allows 64 a component).
TEXT_LIMIT = 1024

#: A value that is asked for and longer than this is not read: no VR of these elements allows a thousandth of it.
VALUE_LIMIT_BYTES = 1 << 16

#: A deflated data set grows a thousandfold while it is inflated. So much of it is kept, to find the header in; so much
#: it may be in all, as whoever draws it needs it whole.
INFLATED_HEADER_BYTES = 64 << 20
INFLATED_LIMIT_BYTES = 512 << 20
_CHUNK_BYTES = 1 << 20

_UID_CHARACTERS = frozenset("0123456789.")

BIRTH_DATE = Tag(0x00100030, "DA", "PatientBirthDate")
SEX = Tag(0x00100040, "CS", "PatientSex")
ACCESSION_NUMBER = Tag(0x00080050, "SH", "AccessionNumber")


@dataclass(frozen=True)
class Header:
    """What the index keeps of an instance. Texts are as in the data set, decoded; missing ones are empty.

    A missing Patient ID is the exception: what stands in for it tells people apart.
    """

    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    study_instance_uid: str
    series_instance_uid: str
    patient_id: str
    patient_name: str
    birth_date: str
    sex: str
    study_date: str
    study_time: str
    study_description: str
    accession_number: str
    series_number: int | None
    series_description: str
    modality: str
    instance_number: int | None
    frames: int


def is_uid(text: str) -> bool:
    """Whether a text can be a UID: digits and dots, 1 to 64 of them (PS3.5 9.1; stray leading zeros are let pass)."""
    return 0 < len(text) <= 64 and _UID_CHARACTERS.issuperset(text)


def read_header(path: Path) -> Header:
    """
    Read what the index needs, by the same reader that draws the pictures; the pixels are not touched.

    Raises
    ------
    Unreadable
        The file is no DICOM, or lacks what every instance must have (PS3.3 C.12.1, C.7.2.1, C.7.3.1).
    """
    unpacking = _Unpacking()
    try:
        file = part10.read(path, unpack=unpacking)
        if unpacking.is_cut and file.pixels is None:
            raise TooLarge(_NO_PIXELS_YET)
        return _header_of(file.header, file.syntax.uid)
    except ConversionError as error:
        where = f"{error.tag_text}: " if error.tag_text else ""
        reason = _NO_PIXELS_YET if unpacking.is_cut else error.reason
        raise Unreadable(f"not a readable DICOM data set: {where}{reason}") from error


_NO_PIXELS_YET = f"no pixels begin within the first {INFLATED_HEADER_BYTES >> 20} MiB of the inflated data set"


class _Unpacking:
    """Inflates a data set to its end, piece by piece, and keeps its beginning."""

    def __init__(self) -> None:
        self.is_cut = False

    def __call__(self, data: Buffer, start: int) -> bytes:
        inflater, kept, size = zlib.decompressobj(-zlib.MAX_WBITS), bytearray(), 0
        for piece in self._pieces(inflater, data, start):
            kept += piece[: INFLATED_HEADER_BYTES - len(kept)]
            size += len(piece)
            if size > INFLATED_LIMIT_BYTES:
                raise TooLarge(
                    f"the deflated data set is larger than {INFLATED_LIMIT_BYTES >> 20} MiB once it is inflated"
                )
        self.is_cut = size > len(kept)
        return bytes(kept)

    @staticmethod
    def _pieces(inflater: zlib._Decompress, data: Buffer, start: int) -> Iterator[bytes]:
        try:
            for place in range(start, len(data), _CHUNK_BYTES):
                packed = data[place : place + _CHUNK_BYTES]
                while packed:
                    yield inflater.decompress(packed, _CHUNK_BYTES)
                    packed = inflater.unconsumed_tail
                if inflater.eof:  # what lies behind would be gathered in memory
                    return
        except zlib.error as error:
            raise ConversionError(f"the deflated data set is damaged ({error})") from error


def _header_of(elements: Elements, syntax: str) -> Header:
    return Header(
        sop_class_uid=_uid(elements, tags.SOP_CLASS_UID),
        sop_instance_uid=_uid(elements, tags.SOP_INSTANCE_UID),
        transfer_syntax_uid=syntax,
        study_instance_uid=_uid(elements, tags.STUDY_INSTANCE_UID),
        series_instance_uid=_uid(elements, tags.SERIES_INSTANCE_UID),
        patient_id=_identity(elements, tags.PATIENT_ID) or _stand_in(_uid(elements, tags.STUDY_INSTANCE_UID)),
        patient_name=_text(elements, tags.PATIENT_NAME),
        birth_date=_text(elements, BIRTH_DATE),
        sex=_text(elements, SEX),
        study_date=_text(elements, tags.STUDY_DATE),
        study_time=_text(elements, tags.STUDY_TIME),
        study_description=_text(elements, tags.STUDY_DESCRIPTION),
        accession_number=_text(elements, ACCESSION_NUMBER),
        series_number=_number(elements, tags.SERIES_NUMBER),
        series_description=_text(elements, tags.SERIES_DESCRIPTION),
        modality=_text(elements, tags.MODALITY),
        instance_number=_number(elements, tags.INSTANCE_NUMBER),
        frames=max(_number(elements, tags.NUMBER_OF_FRAMES) or 1, 1),
    )


def _whole_text(elements: Elements, tag: Tag) -> str:
    """All values as one text that UTF-8 can write."""
    _refuse_long(elements, tag)
    _refuse_long(elements, tags.SPECIFIC_CHARACTER_SET)
    text = "\\".join(elements.texts(tag))
    return text.encode("utf-8", "replace").decode().strip(" \0")


def _text(elements: Elements, tag: Tag) -> str:
    return in_a_line(_whole_text(elements, tag)[:TEXT_LIMIT])


def _identity(elements: Elements, tag: Tag) -> str:
    text = _whole_text(elements, tag)
    if len(text) > TEXT_LIMIT:
        raise Unreadable(f"the {tag.keyword} has more than {TEXT_LIMIT} characters")
    return text


def _stand_in(study_instance_uid: str) -> str:
    """An identity for a patient without one (Patient ID may be empty, PS3.3 C.7.1.1): each study is one's own.

    Two people without an ID are never one; one person's two studies are two until someone says otherwise.
    Every branch derives the same from the same study.
    """
    return f"without-ID-{hashlib.sha256(study_instance_uid.encode()).hexdigest()[:12]}"


def _uid(elements: Elements, tag: Tag) -> str:
    text = _whole_text(elements, tag)
    if not is_uid(text):
        raise Unreadable(f"the {tag.keyword} is missing or no UID")
    return text


def _number(elements: Elements, tag: Tag) -> int | None:
    """An Integer String of 32 bits (PS3.5 6.2, IS); None where it is anything else."""
    _refuse_long(elements, tag)
    try:
        number = elements.integer(tag)
    except ConversionError:
        return None
    return number if number is not None and abs(number) < 1 << 31 else None


def _refuse_long(elements: Elements, tag: Tag) -> None:
    element = elements.element(tag)
    if element is not None and VALUE_LIMIT_BYTES < element.length != UNDEFINED:
        raise Unreadable(f"the {tag.keyword} has {element.length} bytes, {VALUE_LIMIT_BYTES} are allowed")
