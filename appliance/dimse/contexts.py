"""Which presentation contexts are accepted: Verification for everyone, Storage for those who may store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom import uid
from pynetdicom import build_context
from pynetdicom.sop_class import _STORAGE_CLASSES

from converter.dicom import syntaxes as converted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pynetdicom.presentation import PresentationContext

VERIFICATION = "1.2.840.10008.1.1"

#: Everything under it is, was, or will be a storage SOP class (PS3.6 A): known to this version or not.
_STORAGE_ROOT = "1.2.840.10008.5.1.4.1.1."
_STANDARD_ROOT = "1.2.840.10008."
_STORAGE_UIDS = frozenset(map(str, _STORAGE_CLASSES.values()))

_PREFERRED = (
    uid.ExplicitVRLittleEndian,
    uid.JPEGLSLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLossless,
    uid.RLELossless,
    uid.HTJ2KLossless,
    uid.JPEG2000Lossless,
)
#: Nothing is lost by these either, but they are larger, and hide their VRs, or are slow to read.
_LAST_RESORT = (uid.DeflatedExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian)

#: Those of the standard that the header is read of: an instance in another one could not be filed (JPIP has its pixels
#: at a server, SMPTE ST 2110 is for streams). Video is kept, and has no pictures.
_KEPT = tuple(syntax for syntax in map(str, uid.AllTransferSyntaxes) if syntax in converted.TRANSFER_SYNTAXES)
_LOSSY = tuple(
    syntax
    for syntax in _KEPT
    if syntax in converted.LOSSY or converted.TRANSFER_SYNTAXES[syntax].codec == converted.VIDEO
)

#: Every one that is kept, in the order in which we choose where a peer offers several: plain and explicit first (it is
#: drawn the fastest), then what loses nothing, and only then what may.
TRANSFER_SYNTAXES: tuple[str, ...] = (
    *dict.fromkeys(
        (*_PREFERRED, *(syntax for syntax in _KEPT if syntax not in (*_LAST_RESORT, *_LOSSY)), *_LAST_RESORT)
    ),
    *_LOSSY,
)


def is_storage(abstract_syntax: str) -> bool:
    """Whether an abstract syntax is a storage SOP class: a standard one, a retired or future one, or a vendor's own."""
    return (
        abstract_syntax.startswith(_STORAGE_ROOT)
        or abstract_syntax in _STORAGE_UIDS
        or not abstract_syntax.startswith(_STANDARD_ROOT)
    )


def accepted_contexts(proposed: Iterable[str], *, may_store: bool) -> list[PresentationContext]:
    """What of the proposed abstract syntaxes is accepted, with the transfer syntaxes for each."""
    storage = {syntax for syntax in proposed if is_storage(syntax)} if may_store else set()
    return [
        build_context(VERIFICATION),
        *(build_context(syntax, list(TRANSFER_SYNTAXES)) for syntax in sorted(storage)),
    ]
