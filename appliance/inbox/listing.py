"""A CD's own list of what is on it (DICOMDIR): what it names and has not come, a person should know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.keeping.header import is_uid
from converter.dicom import part10
from converter.dicom.tags import Tag
from converter.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appliance.inbox.held import Held
    from appliance.inbox.zipped import Member
    from converter.dicom.header import Header

RECORDS = Tag(0x00041220, "SQ", "DirectoryRecordSequence")
FILE_ID = Tag(0x00041500, "CS", "ReferencedFileID")
INSTANCE = Tag(0x00041511, "UI", "ReferencedSOPInstanceUIDInFile")
#: A record takes some 300 bytes in the file, and as much in memory: more than 10,000 images, as no CD has.
LARGEST_BYTES = 4 << 20
#: PS3.10 8.2: eight components of eight characters.
_PLACE_LETTERS = 8 * 8 + 7


def listed(source: Held | Member) -> dict[str, str]:
    """
    SOP Instance UID to file of all that a DICOMDIR names; nothing of one that cannot be read or is larger than any.

    References
    ----------
    PS3.3 F.3.2.2; PS3.10 8.2
    """
    content = source.start(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        return {}
    try:
        return dict(_named(part10.read(content, "DICOMDIR").header))
    except (ConversionError, ValueError):
        return {}


def _named(header: Header) -> Iterator[tuple[str, str]]:
    for record in header.items(RECORDS):
        uid, place = record.text(INSTANCE), "/".join(record.texts(FILE_ID))
        if is_uid(uid):
            yield uid, place[:_PLACE_LETTERS]
