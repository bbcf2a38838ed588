"""Transfer syntaxes: which one is chosen of several, and that whatever is agreed on is kept."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pydicom
import pytest
from pydicom.uid import (
    JPEG2000,
    MPEG2MPML,
    UID,
    AllTransferSyntaxes,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSNearLossless,
    RLELossless,
    generate_uid,
)
from pynetdicom import AE
from pynetdicom.sop_class import UltrasoundMultiFrameImageStorage, VideoEndoscopicImageStorage

from appliance.dimse.contexts import TRANSFER_SYNTAXES
from appliance.pictures.drawing import draw
from converter.dicom.whole import check_whole
from tests.appliance.receiving import Reception, receiving
from tests.appliance.scanner import associated
from tests.converter.building import encapsulated, file, image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IMPLICIT, EXPLICIT = ImplicitVRLittleEndian, ExplicitVRLittleEndian


@pytest.fixture(scope="module")
def reception(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reception]:
    with receiving(tmp_path_factory.mktemp("erode") / "archive") as opened:
        yield opened


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([IMPLICIT, JPEGBaseline8Bit], IMPLICIT),
        ([JPEG2000, IMPLICIT], IMPLICIT),
        ([IMPLICIT, MPEG2MPML], IMPLICIT),
        ([JPEGLSNearLossless, IMPLICIT], IMPLICIT),
        ([JPEGBaseline8Bit, ExplicitVRBigEndian], ExplicitVRBigEndian),
        ([JPEGBaseline8Bit, DeflatedExplicitVRLittleEndian], DeflatedExplicitVRLittleEndian),
        ([IMPLICIT, RLELossless], RLELossless),
        ([IMPLICIT, JPEG2000Lossless, JPEG2000], JPEG2000Lossless),
        ([JPEGBaseline8Bit, IMPLICIT, EXPLICIT], EXPLICIT),
        ([JPEGBaseline8Bit], JPEGBaseline8Bit),
    ],
    ids=lambda given: UID(given).name if isinstance(given, str) else None,
)
def test_what_loses_nothing_is_chosen_before_what_may(reception: Reception, offered: list[str], chosen: str) -> None:
    entity = AE("CT1")
    entity.add_requested_context(UltrasoundMultiFrameImageStorage, offered)
    association = entity.associate(reception.address, 11112, ae_title="ERODE")
    (context,) = association.accepted_contexts
    association.release()
    assert context.transfer_syntax == [chosen]


@pytest.mark.parametrize("syntax", TRANSFER_SYNTAXES, ids=lambda uid: UID(uid).name)
def test_whatever_is_agreed_on_is_kept(reception: Reception, syntax: str) -> None:
    """The header is read, and the file is whole, also where nobody here can draw it."""
    uid = generate_uid()
    values = {"SOPClassUID": VideoEndoscopicImageStorage, "SOPInstanceUID": uid, "BitsAllocated": 8, "BitsStored": 8}
    made = encapsulated([b"\0" * 8], syntax, **values) if UID(syntax).is_encapsulated else plain(syntax, **values)
    with associated(reception.address, VideoEndoscopicImageStorage, syntax) as association:
        assert association.send_c_store(pydicom.dcmread(io.BytesIO(made))).Status == 0x0000
    kept = reception.archive.path_of(uid)
    assert pydicom.dcmread(kept).file_meta.TransferSyntaxUID == syntax
    check_whole(kept)


def plain(syntax: str, **values: Any) -> bytes:
    return file(image(bytes(4), **values), syntax)


def test_a_video_has_no_pictures_and_says_why(tmp_path: Path) -> None:
    made = encapsulated([b"\0" * 8], MPEG2MPML, SOPInstanceUID=generate_uid(), NumberOfFrames=30_000)
    path = tmp_path / "video.dcm"
    path.write_bytes(made)
    drawn = draw(path, tmp_path, "video")
    assert (drawn.is_image, drawn.pictures) == (True, ())
    assert drawn.reason.startswith("(0002,0010): transfer syntax 1.2.840.10008.1.2.4.100")
    assert "video player" in drawn.reason


def test_what_could_not_be_filed_is_not_agreed_on(reception: Reception) -> None:
    """JPIP has its pixels at a server, and SMPTE ST 2110 is for streams."""
    others = set(AllTransferSyntaxes) - set(TRANSFER_SYNTAXES)
    assert {name.split()[0] for name in (UID(syntax).name for syntax in others)} == {"JPIP", "SMPTE"}
    entity = AE("CT1")
    entity.add_requested_context(UltrasoundMultiFrameImageStorage, sorted(others))
    association = entity.associate(reception.address, 11112, ae_title="ERODE")
    assert association.accepted_contexts == []
    association.release() if association.is_established else association.abort()
