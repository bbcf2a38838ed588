"""The data elements that the converter reads, with their VR from PS3.6."""

from __future__ import annotations

from typing import Self


class Tag(int):
    """A tag that knows its VR and keyword.

    Parameters
    ----------
    number : int
        `0xggggeeee`.
    vr : str
        Value representation of PS3.6; `"XS"` where it is US or SS by (0028,0103) Pixel Representation.
    keyword : str
        Keyword of PS3.6.
    """

    vr: str
    keyword: str

    def __new__(cls, number: int, vr: str, keyword: str) -> Self:
        """A number with a VR and a keyword."""
        tag = super().__new__(cls, number)
        tag.vr = vr
        tag.keyword = keyword
        return tag

    def __reduce__(self) -> tuple[object, ...]:
        """What rebuilds the tag in another process."""
        return Tag, (int(self), self.vr, self.keyword)

    def __repr__(self) -> str:
        return f"({self >> 16:04X},{self & 0xFFFF:04X}) {self.keyword}"


MEDIA_STORAGE_SOP_CLASS_UID = Tag(0x00020002, "UI", "MediaStorageSOPClassUID")
TRANSFER_SYNTAX_UID = Tag(0x00020010, "UI", "TransferSyntaxUID")
DIRECTORY_RECORDS = Tag(0x00041220, "SQ", "DirectoryRecordSequence")
REFERENCED_FILE_ID = Tag(0x00041500, "CS", "ReferencedFileID")

SPECIFIC_CHARACTER_SET = Tag(0x00080005, "CS", "SpecificCharacterSet")
SOP_CLASS_UID = Tag(0x00080016, "UI", "SOPClassUID")
SOP_INSTANCE_UID = Tag(0x00080018, "UI", "SOPInstanceUID")
STUDY_DATE = Tag(0x00080020, "DA", "StudyDate")
SERIES_DATE = Tag(0x00080021, "DA", "SeriesDate")
ACQUISITION_DATE = Tag(0x00080022, "DA", "AcquisitionDate")
STUDY_TIME = Tag(0x00080030, "TM", "StudyTime")
SERIES_TIME = Tag(0x00080031, "TM", "SeriesTime")
ACQUISITION_TIME = Tag(0x00080032, "TM", "AcquisitionTime")
CONTENT_DATE = Tag(0x00080023, "DA", "ContentDate")
MODALITY = Tag(0x00080060, "CS", "Modality")
CODE_VALUE = Tag(0x00080100, "SH", "CodeValue")
CODE_MEANING = Tag(0x00080104, "LO", "CodeMeaning")
STUDY_DESCRIPTION = Tag(0x00081030, "LO", "StudyDescription")
SERIES_DESCRIPTION = Tag(0x0008103E, "LO", "SeriesDescription")
REFERENCED_SERIES = Tag(0x00081115, "SQ", "ReferencedSeriesSequence")
REFERENCED_IMAGES = Tag(0x00081140, "SQ", "ReferencedImageSequence")
REFERENCED_SOP_SEQUENCE = Tag(0x00081199, "SQ", "ReferencedSOPSequence")
REFERENCED_SOP_INSTANCE_UID = Tag(0x00081155, "UI", "ReferencedSOPInstanceUID")
REFERENCED_FRAME_NUMBER = Tag(0x00081160, "IS", "ReferencedFrameNumber")
RECOMMENDED_DISPLAY_FRAME_RATE = Tag(0x00082144, "IS", "RecommendedDisplayFrameRate")
PATIENT_NAME = Tag(0x00100010, "PN", "PatientName")
PATIENT_ID = Tag(0x00100020, "LO", "PatientID")
PATIENT_WEIGHT = Tag(0x00101030, "DS", "PatientWeight")
CINE_RATE = Tag(0x00180040, "IS", "CineRate")
FRAME_TIME = Tag(0x00181063, "DS", "FrameTime")
FRAME_TIME_VECTOR = Tag(0x00181065, "DS", "FrameTimeVector")
RADIOPHARMACEUTICAL_START_TIME = Tag(0x00181072, "TM", "RadiopharmaceuticalStartTime")
RADIONUCLIDE_TOTAL_DOSE = Tag(0x00181074, "DS", "RadionuclideTotalDose")
RADIONUCLIDE_HALF_LIFE = Tag(0x00181075, "DS", "RadionuclideHalfLife")
RADIOPHARMACEUTICAL_START_DATETIME = Tag(0x00181078, "DT", "RadiopharmaceuticalStartDateTime")
IMAGER_PIXEL_SPACING = Tag(0x00181164, "DS", "ImagerPixelSpacing")
NOMINAL_SCANNED_PIXEL_SPACING = Tag(0x00182010, "DS", "NominalScannedPixelSpacing")
SHUTTER_SHAPE = Tag(0x00181600, "CS", "ShutterShape")
SHUTTER_LEFT = Tag(0x00181602, "IS", "ShutterLeftVerticalEdge")
SHUTTER_RIGHT = Tag(0x00181604, "IS", "ShutterRightVerticalEdge")
SHUTTER_UPPER = Tag(0x00181606, "IS", "ShutterUpperHorizontalEdge")
SHUTTER_LOWER = Tag(0x00181608, "IS", "ShutterLowerHorizontalEdge")
SHUTTER_CENTER = Tag(0x00181610, "IS", "CenterOfCircularShutter")
SHUTTER_RADIUS = Tag(0x00181612, "IS", "RadiusOfCircularShutter")
SHUTTER_VERTICES = Tag(0x00181620, "IS", "VerticesOfThePolygonalShutter")
SHUTTER_PRESENTATION_VALUE = Tag(0x00181622, "US", "ShutterPresentationValue")
SHUTTER_OVERLAY_GROUP = Tag(0x00181623, "US", "ShutterOverlayGroup")
SHUTTER_PRESENTATION_LAB = Tag(0x00181624, "US", "ShutterPresentationColorCIELabValue")
STUDY_INSTANCE_UID = Tag(0x0020000D, "UI", "StudyInstanceUID")
SERIES_INSTANCE_UID = Tag(0x0020000E, "UI", "SeriesInstanceUID")
SERIES_NUMBER = Tag(0x00200011, "IS", "SeriesNumber")
INSTANCE_NUMBER = Tag(0x00200013, "IS", "InstanceNumber")

SAMPLES_PER_PIXEL = Tag(0x00280002, "US", "SamplesPerPixel")
PHOTOMETRIC_INTERPRETATION = Tag(0x00280004, "CS", "PhotometricInterpretation")
PLANAR_CONFIGURATION = Tag(0x00280006, "US", "PlanarConfiguration")
NUMBER_OF_FRAMES = Tag(0x00280008, "IS", "NumberOfFrames")
ROWS = Tag(0x00280010, "US", "Rows")
COLUMNS = Tag(0x00280011, "US", "Columns")
PIXEL_SPACING = Tag(0x00280030, "DS", "PixelSpacing")
PIXEL_ASPECT_RATIO = Tag(0x00280034, "IS", "PixelAspectRatio")
CORRECTED_IMAGE = Tag(0x00280051, "CS", "CorrectedImage")
BITS_ALLOCATED = Tag(0x00280100, "US", "BitsAllocated")
BITS_STORED = Tag(0x00280101, "US", "BitsStored")
HIGH_BIT = Tag(0x00280102, "US", "HighBit")
PIXEL_REPRESENTATION = Tag(0x00280103, "US", "PixelRepresentation")
PIXEL_PADDING_VALUE = Tag(0x00280120, "XS", "PixelPaddingValue")
PIXEL_PADDING_RANGE_LIMIT = Tag(0x00280121, "XS", "PixelPaddingRangeLimit")
FLOAT_PIXEL_PADDING_VALUE = Tag(0x00280122, "FL", "FloatPixelPaddingValue")
DOUBLE_PIXEL_PADDING_VALUE = Tag(0x00280123, "FD", "DoubleFloatPixelPaddingValue")
FLOAT_PIXEL_PADDING_LIMIT = Tag(0x00280124, "FL", "FloatPixelPaddingRangeLimit")
DOUBLE_PIXEL_PADDING_LIMIT = Tag(0x00280125, "FD", "DoubleFloatPixelPaddingRangeLimit")
WINDOW_CENTER = Tag(0x00281050, "DS", "WindowCenter")
WINDOW_WIDTH = Tag(0x00281051, "DS", "WindowWidth")
RESCALE_INTERCEPT = Tag(0x00281052, "DS", "RescaleIntercept")
RESCALE_SLOPE = Tag(0x00281053, "DS", "RescaleSlope")
RESCALE_TYPE = Tag(0x00281054, "LO", "RescaleType")
WINDOW_EXPLANATION = Tag(0x00281055, "LO", "WindowCenterWidthExplanation")
VOI_LUT_FUNCTION = Tag(0x00281056, "CS", "VOILUTFunction")
PALETTE_DESCRIPTORS = (
    Tag(0x00281101, "XS", "RedPaletteColorLookupTableDescriptor"),
    Tag(0x00281102, "XS", "GreenPaletteColorLookupTableDescriptor"),
    Tag(0x00281103, "XS", "BluePaletteColorLookupTableDescriptor"),
)
PALETTE_DATA = (
    Tag(0x00281201, "OW", "RedPaletteColorLookupTableData"),
    Tag(0x00281202, "OW", "GreenPaletteColorLookupTableData"),
    Tag(0x00281203, "OW", "BluePaletteColorLookupTableData"),
)
SEGMENTED_PALETTE_DATA = (
    Tag(0x00281221, "OW", "SegmentedRedPaletteColorLookupTableData"),
    Tag(0x00281222, "OW", "SegmentedGreenPaletteColorLookupTableData"),
    Tag(0x00281223, "OW", "SegmentedBluePaletteColorLookupTableData"),
)
OPTICAL_PATHS = Tag(0x00480105, "SQ", "OpticalPathSequence")
PIXEL_ORIGIN_INTERPRETATION = Tag(0x00480301, "CS", "PixelOriginInterpretation")
ICC_PROFILE = Tag(0x00282000, "OB", "ICCProfile")
COLOR_SPACE = Tag(0x00282002, "CS", "ColorSpace")
MASK_SUBTRACTION_SEQUENCE = Tag(0x00286100, "SQ", "MaskSubtractionSequence")
MODALITY_LUT_SEQUENCE = Tag(0x00283000, "SQ", "ModalityLUTSequence")
LUT_DESCRIPTOR = Tag(0x00283002, "XS", "LUTDescriptor")
LUT_EXPLANATION = Tag(0x00283003, "LO", "LUTExplanation")
LUT_DATA = Tag(0x00283006, "OW", "LUTData")
VOI_LUT_SEQUENCE = Tag(0x00283010, "SQ", "VOILUTSequence")
SOFTCOPY_VOI_LUT = Tag(0x00283110, "SQ", "SoftcopyVOILUTSequence")
PIXEL_MEASURES = Tag(0x00289110, "SQ", "PixelMeasuresSequence")
FRAME_VOI_LUT = Tag(0x00289132, "SQ", "FrameVOILUTSequence")
PIXEL_VALUE_TRANSFORMATION = Tag(0x00289145, "SQ", "PixelValueTransformationSequence")
MEASUREMENT_UNITS = Tag(0x004008EA, "SQ", "MeasurementUnitsCodeSequence")
VALUE_TYPE = Tag(0x0040A040, "CS", "ValueType")
CONCEPT_NAME = Tag(0x0040A043, "SQ", "ConceptNameCodeSequence")
DATETIME_VALUE = Tag(0x0040A120, "DT", "DateTime")
DATE_VALUE = Tag(0x0040A121, "DA", "Date")
TIME_VALUE = Tag(0x0040A122, "TM", "Time")
PERSON_NAME = Tag(0x0040A123, "PN", "PersonName")
UID_VALUE = Tag(0x0040A124, "UI", "UID")
TEXT_VALUE = Tag(0x0040A160, "UT", "TextValue")
CONCEPT_CODE = Tag(0x0040A168, "SQ", "ConceptCodeSequence")
MEASURED_VALUE = Tag(0x0040A300, "SQ", "MeasuredValueSequence")
NUMERIC_VALUE = Tag(0x0040A30A, "DS", "NumericValue")
COMPLETION_FLAG = Tag(0x0040A491, "CS", "CompletionFlag")
VERIFICATION_FLAG = Tag(0x0040A493, "CS", "VerificationFlag")
CONTENT_SEQUENCE = Tag(0x0040A730, "SQ", "ContentSequence")
MIME_TYPE = Tag(0x00420012, "LO", "MIMETypeOfEncapsulatedDocument")
ENCAPSULATED_DOCUMENT = Tag(0x00420011, "OB", "EncapsulatedDocument")
ENCAPSULATED_DOCUMENT_LENGTH = Tag(0x00420015, "UL", "EncapsulatedDocumentLength")
RADIOPHARMACEUTICALS = Tag(0x00540016, "SQ", "RadiopharmaceuticalInformationSequence")
UNITS = Tag(0x00541001, "CS", "Units")
DECAY_CORRECTION = Tag(0x00541102, "CS", "DecayCorrection")
SEGMENT_SEQUENCE = Tag(0x00620002, "SQ", "SegmentSequence")
SEGMENT_NUMBER = Tag(0x00620004, "US", "SegmentNumber")
SEGMENTATION_TYPE = Tag(0x00620001, "CS", "SegmentationType")
MAXIMUM_FRACTIONAL_VALUE = Tag(0x0062000E, "US", "MaximumFractionalValue")
GRAPHIC_ANNOTATIONS = Tag(0x00700001, "SQ", "GraphicAnnotationSequence")
UNFORMATTED_TEXT = Tag(0x00700006, "ST", "UnformattedTextValue")
GRAPHIC_UNITS = Tag(0x00700005, "CS", "GraphicAnnotationUnits")
BOUNDING_BOX_UNITS = Tag(0x00700003, "CS", "BoundingBoxAnnotationUnits")
ANCHOR_POINT_UNITS = Tag(0x00700004, "CS", "AnchorPointAnnotationUnits")
TEXT_OBJECTS = Tag(0x00700008, "SQ", "TextObjectSequence")
GRAPHIC_OBJECTS = Tag(0x00700009, "SQ", "GraphicObjectSequence")
BOUNDING_BOX_TOP_LEFT = Tag(0x00700010, "FL", "BoundingBoxTopLeftHandCorner")
BOUNDING_BOX_BOTTOM_RIGHT = Tag(0x00700011, "FL", "BoundingBoxBottomRightHandCorner")
ANCHOR_POINT = Tag(0x00700014, "FL", "AnchorPoint")
GRAPHIC_DATA = Tag(0x00700022, "FL", "GraphicData")
GRAPHIC_TYPE = Tag(0x00700023, "CS", "GraphicType")
IMAGE_HORIZONTAL_FLIP = Tag(0x00700041, "CS", "ImageHorizontalFlip")
IMAGE_ROTATION = Tag(0x00700042, "US", "ImageRotation")
DISPLAYED_AREA_TOP_LEFT = Tag(0x00700052, "SL", "DisplayedAreaTopLeftHandCorner")
DISPLAYED_AREA_BOTTOM_RIGHT = Tag(0x00700053, "SL", "DisplayedAreaBottomRightHandCorner")
DISPLAYED_AREAS = Tag(0x0070005A, "SQ", "DisplayedAreaSelectionSequence")
PRESENTATION_PIXEL_SPACING = Tag(0x00700101, "DS", "PresentationPixelSpacing")
PRESENTATION_PIXEL_ASPECT_RATIO = Tag(0x00700102, "IS", "PresentationPixelAspectRatio")
PRESENTATION_LUT_SEQUENCE = Tag(0x20500010, "SQ", "PresentationLUTSequence")
PRESENTATION_LUT_SHAPE = Tag(0x20500020, "CS", "PresentationLUTShape")
DOSE_GRID_SCALING = Tag(0x3004000E, "DS", "DoseGridScaling")
SHARED_FUNCTIONAL_GROUPS = Tag(0x52009229, "SQ", "SharedFunctionalGroupsSequence")
PER_FRAME_FUNCTIONAL_GROUPS = Tag(0x52009230, "SQ", "PerFrameFunctionalGroupsSequence")
EXTENDED_OFFSET_TABLE = Tag(0x7FE00001, "OV", "ExtendedOffsetTable")
EXTENDED_OFFSET_TABLE_LENGTHS = Tag(0x7FE00002, "OV", "ExtendedOffsetTableLengths")
FLOAT_PIXEL_DATA = Tag(0x7FE00008, "OF", "FloatPixelData")
DOUBLE_PIXEL_DATA = Tag(0x7FE00009, "OD", "DoubleFloatPixelData")
PIXEL_DATA = Tag(0x7FE00010, "OW", "PixelData")
