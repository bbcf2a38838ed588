"""Which presentation contexts are accepted: Verification for everyone, Storage for those who may store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom import uid
from pynetdicom import build_context
from pynetdicom.sop_class import _STORAGE_CLASSES

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
_LAST_RESORT = (uid.DeflatedExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.ExplicitVRBigEndian)

#: Every transfer syntax that pydicom names, in the order in which we choose where a peer offers several:
#: plain and explicit first (it is drawn the fastest), what loses nothing before what may, what hides its VRs last.
TRANSFER_SYNTAXES: tuple[str, ...] = tuple(
    dict.fromkeys(
        (*_PREFERRED, *(syntax for syntax in uid.AllTransferSyntaxes if syntax not in _LAST_RESORT), *_LAST_RESORT)
    )
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
