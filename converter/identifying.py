"""Elements that tell who a patient is, or where and by whom they were seen (PS3.15 table E.1-1, the common ones)."""

from __future__ import annotations

# Every person name, and every date, time and address, whatever the element.
VRS = frozenset({"PN", "DA", "DT", "TM"})

# Whole groups: patient, and what a patient's visit, request and clinical trial say.
GROUPS = frozenset({0x0010, 0x0012, 0x0032, 0x0038})

KEYWORDS = frozenset(
    [
        "AccessionNumber",
        "AcquisitionComments",
        "AcquisitionProtocolDescription",
        "AdmissionID",
        "BurnedInAnnotation",
        "CassetteID",
        "ContributionDescription",
        "DerivationDescription",
        "DetectorID",
        "DeviceSerialNumber",
        "DeviceUID",
        "FrameComments",
        "FrameOfReferenceUID",
        "GantryID",
        "GeneratorID",
        "ImageComments",
        "ImagePresentationComments",
        "InstanceCreatorUID",
        "InstitutionAddress",
        "InstitutionCodeSequence",
        "InstitutionName",
        "InstitutionalDepartmentName",
        "IssuerOfPatientID",
        "IssuerOfAdmissionID",
        "MediaStorageSOPInstanceUID",
        "NetworkID",
        "ObservationUID",
        "PerformedLocation",
        "PerformedProcedureStepDescription",
        "PerformedProcedureStepID",
        "PerformedStationName",
        "PlateID",
        "ProtocolName",
        "ReasonForTheRequestedProcedure",
        "ReferencedSOPInstanceUID",
        "ReferringPhysicianAddress",
        "ReferringPhysicianTelephoneNumbers",
        "RequestAttributesSequence",
        "RequestedProcedureComments",
        "RequestedProcedureDescription",
        "RequestedProcedureID",
        "RequestingService",
        "RetrieveAETitle",
        "ScheduledProcedureStepDescription",
        "ScheduledProcedureStepID",
        "ScheduledProcedureStepLocation",
        "ScheduledStationName",
        "SeriesDescription",
        "SeriesInstanceUID",
        "SOPInstanceUID",
        "StationName",
        "StudyComments",
        "StudyDescription",
        "StudyID",
        "StudyInstanceUID",
        "SourceApplicationEntityTitle",
        "TextComments",
        "TextString",
        "TextValue",
        "TransactionUID",
        "UnformattedTextValue",
        "UID",
        "EncapsulatedDocument",
        "DocumentTitle",
    ]
)


def identifying(tag: int, vr: str, keyword: str) -> bool:
    """Whether the element's value may tell who the patient is; private elements may."""
    group = tag >> 16
    return bool(group % 2) or vr in VRS or group in GROUPS or keyword in KEYWORDS or 0x6000 <= group <= 0x60FF
