"""Elements whose values may tell who a patient is, or where and by whom they were seen (PS3.15 table E.1-1).

The table lists more than 600 elements and grows with each edition, so it is turned round: text, names, times,
addresses, instance UIDs and bytes are hidden wherever they stand; numbers, codes and a few texts that describe a
machine are shown.
"""

from __future__ import annotations

_TEXT = frozenset({"AE", "AS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_TIME = frozenset({"DA", "DT", "TM"})
_BYTES = frozenset({"OB", "OD", "OF", "OL", "OV", "OW", "UN"})
_HIDDEN_VRS = _TEXT | _TIME | _BYTES | {"UI"}

# Groups of which nothing is shown: patient, trial, camera and its place, request, visit, signatures, results, overlays.
_GROUPS = frozenset({0x0010, 0x0012, 0x0016, 0x0032, 0x0038, 0x0400, 0x4008, *range(0x6000, 0x6100, 2)})

# Codes that name a device of the place.
_KEYWORDS = frozenset({"ModifyingDeviceID"})

_SHOWN = frozenset(
    [
        # what kind of thing it is
        "CodingSchemeDesignator",
        "CodingSchemeUID",
        "ImplementationClassUID",
        "ImplementationVersionName",
        "MediaStorageSOPClassUID",
        "OriginalSpecializedSOPClassUID",
        "ReferencedSOPClassUID",
        "RelatedGeneralSOPClassUID",
        "SOPClassUID",
        "TransferSyntaxUID",
        # what machine and method made it
        "ConvolutionKernel",
        "FilterType",
        "LUTExplanation",
        "Manufacturer",
        "ManufacturerModelName",
        "PulseSequenceName",
        "ReceiveCoilName",
        "RescaleType",
        "SequenceName",
        "SoftwareVersions",
        "TransmitCoilName",
        "WindowCenterWidthExplanation",
    ]
)


def identifying(tag: int, vr: str, keyword: str) -> bool:
    """Whether the element's value may tell who the patient is; private elements may.

    Parameters
    ----------
    vr : str
        Value representation; of a sequence (`"SQ"`) the elements of its items are asked one by one.
    """
    group = tag >> 16
    if group % 2 or group in _GROUPS or keyword in _KEYWORDS:
        return True
    return vr in _HIDDEN_VRS and keyword not in _SHOWN
