"""Transfer syntaxes: how the dataset is written and which codec its frames need (PS3.5 annex A, PS3.6 annex A)."""

from __future__ import annotations

from dataclasses import dataclass

from converter.dicom.elements import Encoding
from converter.dicom.tags import TRANSFER_SYNTAX_UID
from converter.errors import ConversionError

EXPLICIT = Encoding()
IMPLICIT = Encoding(implicit=True)


@dataclass(frozen=True, slots=True)
class TransferSyntax:
    """One transfer syntax.

    Attributes
    ----------
    codec : str
        Key of `converter.pixels.codecs.CODECS`; `"native"` where pixels are not encapsulated, and `"video"` of what a
        player is needed for: the header can be read, and no frame.
    deflated : bool
        Whether the whole dataset is deflated (PS3.5 A.5).
    """

    uid: str
    name: str
    codec: str = "native"
    encoding: Encoding = EXPLICIT
    deflated: bool = False

    @property
    def encapsulated(self) -> bool:
        """Whether pixel data lies in fragments (PS3.5 A.4)."""
        return self.codec != "native"


VIDEO = "video"

_ROOT = "1.2.840.10008.1.2"
_VIDEOS = {
    100: "MPEG-2",
    101: "MPEG-2",
    **dict.fromkeys(range(102, 107), "MPEG-4 AVC/H.264"),
    **dict.fromkeys((107, 108), "HEVC/H.265"),
}
_TABLE = (
    TransferSyntax(_ROOT, "Implicit VR Little Endian", encoding=IMPLICIT),
    TransferSyntax(f"{_ROOT}.1", "Explicit VR Little Endian"),
    TransferSyntax(f"{_ROOT}.1.98", "Encapsulated Uncompressed Explicit VR Little Endian", "encapsulated"),
    TransferSyntax(f"{_ROOT}.1.99", "Deflated Explicit VR Little Endian", deflated=True),
    TransferSyntax(f"{_ROOT}.2", "Explicit VR Big Endian", encoding=Encoding(big_endian=True)),
    TransferSyntax("1.2.840.113619.5.2", "GE Private Implicit VR Little Endian", encoding=IMPLICIT),
    TransferSyntax(f"{_ROOT}.4.50", "JPEG Baseline", "jpeg"),
    TransferSyntax(f"{_ROOT}.4.51", "JPEG Extended", "jpeg"),
    TransferSyntax(f"{_ROOT}.4.53", "JPEG Spectral Selection, Non-Hierarchical", "jpeg"),
    TransferSyntax(f"{_ROOT}.4.55", "JPEG Full Progression, Non-Hierarchical", "jpeg"),
    TransferSyntax(f"{_ROOT}.4.57", "JPEG Lossless", "jpeg"),
    TransferSyntax(f"{_ROOT}.4.70", "JPEG Lossless, First-Order Prediction", "jpeg"),
    TransferSyntax(f"{_ROOT}.4.80", "JPEG-LS Lossless", "jpeg-ls"),
    TransferSyntax(f"{_ROOT}.4.81", "JPEG-LS Near-Lossless", "jpeg-ls"),
    TransferSyntax(f"{_ROOT}.4.90", "JPEG 2000 Lossless", "jpeg-2000"),
    TransferSyntax(f"{_ROOT}.4.91", "JPEG 2000", "jpeg-2000"),
    TransferSyntax(f"{_ROOT}.4.92", "JPEG 2000 Part 2 Lossless", "jpeg-2000"),
    TransferSyntax(f"{_ROOT}.4.93", "JPEG 2000 Part 2", "jpeg-2000"),
    TransferSyntax(f"{_ROOT}.4.110", "JPEG XL Lossless", "jpeg-xl"),
    TransferSyntax(f"{_ROOT}.4.111", "JPEG XL JPEG Recompression", "jpeg-xl"),
    TransferSyntax(f"{_ROOT}.4.112", "JPEG XL", "jpeg-xl"),
    TransferSyntax(f"{_ROOT}.4.201", "HTJ2K Lossless", "htj2k"),
    TransferSyntax(f"{_ROOT}.4.202", "HTJ2K RPCL Lossless", "htj2k"),
    TransferSyntax(f"{_ROOT}.4.203", "HTJ2K", "htj2k"),
    TransferSyntax(f"{_ROOT}.5", "RLE Lossless", "rle"),
    TransferSyntax(f"{_ROOT}.8.1", "Deflated Image Frame Compression", "deflate"),
    *(
        TransferSyntax(f"{_ROOT}.4.{number}{part}", f"{name} video", VIDEO)
        for number, name in _VIDEOS.items()
        for part in ("", ".1")
    ),
)
TRANSFER_SYNTAXES = {syntax.uid: syntax for syntax in _TABLE}

# What comes out of these is near what went in, and may lie a little beyond it (PS3.6 annex A).
LOSSY = frozenset(f"{_ROOT}.4.{number}" for number in (50, 51, 53, 55, 81, 91, 93, 112, 203))

# Registered, and nothing of them is read: the pixels are at a server.
REFUSED = {f"{_ROOT}.4.{number}": "JPIP: the pixels are at another server" for number in (94, 95, 204, 205)}


def transfer_syntax(uid: str) -> TransferSyntax:
    """The transfer syntax of a UID.

    Raises
    ------
    ConversionError
        Where no reader is kept for it.
    """
    known = TRANSFER_SYNTAXES.get(uid)
    if known is None:
        why = REFUSED.get(uid, "no decoder is known for it; have the sender use Explicit VR Little Endian")
        raise _not_converted(uid, why)
    return known


def check_frames(syntax: TransferSyntax) -> None:
    """Refuse a transfer syntax whose frames no decoder is kept for.

    Raises
    ------
    ConversionError
        It is video.
    """
    if syntax.codec == VIDEO:
        raise _not_converted(syntax.uid, "video: play it with a video player")


def _not_converted(uid: str, why: str) -> ConversionError:
    return ConversionError(f"transfer syntax {uid} cannot be converted ({why})", tag=TRANSFER_SYNTAX_UID)
