"""Standardized uptake values of PET: the activity that one of them stands for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from converter.dicom import tags
from converter.errors import ConversionError

if TYPE_CHECKING:
    from converter.dicom.header import Header
    from converter.dicom.tags import Tag

_DAY = timedelta(days=1)


def activity_of_suv(header: Header) -> float:
    """The modality value of SUV 1 by body weight, in g/ml: 1, or Bq/ml that are computed from dose, weight and decay.

    Raises
    ------
    ConversionError
        Naming what is missing or not as it must be.

    References
    ----------
    PS3.3 C.8.9.1 PET Series, C.8.9.2 PET Isotope; SUV by body weight as the QIBA FDG-PET/CT profile has it
    """
    units = header.text(tags.UNITS)
    if units == "GML":
        return 1.0
    if units != "BQML":
        raise ConversionError(f"no SUV can be had of values in {units or 'unknown units'}", tag=tags.UNITS)
    corrections = header.texts(tags.CORRECTED_IMAGE)
    if not {"ATTN", "DECY"} <= set(corrections):
        raise ConversionError("SUV needs values corrected for attenuation and decay", tag=tags.CORRECTED_IMAGE)
    return _dose_at_scan(header) / (_positive(header, tags.PATIENT_WEIGHT) * 1000)


def _dose_at_scan(header: Header) -> float:
    """Becquerels that are left of the injected dose at the time that the values are corrected to."""
    drug = header.first_item(tags.RADIOPHARMACEUTICALS)
    if drug is None:
        raise ConversionError("SUV needs the injected dose", tag=tags.RADIOPHARMACEUTICALS)
    dose = _positive(drug, tags.RADIONUCLIDE_TOTAL_DOSE)
    correction = header.text(tags.DECAY_CORRECTION)
    if correction == "ADMIN":
        return dose
    if correction != "START":
        raise ConversionError("SUV needs values corrected to the start of the scan", tag=tags.DECAY_CORRECTION)
    passed = (_scan_start(header) - _injection(header, drug)).total_seconds()
    if passed < 0:
        raise ConversionError("the injection lies after the scan", tag=tags.RADIOPHARMACEUTICAL_START_TIME)
    return float(dose * 2 ** (-passed / _positive(drug, tags.RADIONUCLIDE_HALF_LIFE)))


def _scan_start(header: Header) -> datetime:
    """When the series began; a series that was made afterwards does not tell when the scan began."""
    series = _moment(header, tags.SERIES_DATE, tags.SERIES_TIME)
    if series > _moment(header, tags.ACQUISITION_DATE, tags.ACQUISITION_TIME):
        raise ConversionError("the series was made after the scan, whose start is not known", tag=tags.SERIES_TIME)
    return series


def _injection(header: Header, drug: Header) -> datetime:
    """When the drug was given: by date and time, or by a time of the scan's day or, after midnight, the day before."""
    written = drug.text(tags.RADIOPHARMACEUTICAL_START_DATETIME)
    if written:
        return _parsed(written, tags.RADIOPHARMACEUTICAL_START_DATETIME)
    scan = _scan_start(header)
    text = f"{scan:%Y%m%d}{drug.text(tags.RADIOPHARMACEUTICAL_START_TIME)}"
    given = _parsed(text, tags.RADIOPHARMACEUTICAL_START_TIME)
    return given - _DAY if given > scan else given


def _moment(header: Header, date: Tag, time: Tag) -> datetime:
    return _parsed(header.text(date) + header.text(time), time)


def _parsed(text: str, tag: Tag) -> datetime:
    """Date and time to the second, the hour at least; a zone is left out, as all times of a series have the same."""
    whole = text[:14].ljust(14, "0") if len(text) >= len("YYYYMMDDHH") else ""
    try:
        return datetime.strptime(whole, "%Y%m%d%H%M%S")  # noqa: DTZ007 - see above
    except ValueError as error:
        raise ConversionError(f"SUV needs a date and time, not {text!r}", tag=tag) from error


def _positive(header: Header, tag: Tag) -> float:
    value = header.number(tag)
    if value is None or not 0 < value < float("inf"):
        raise ConversionError(f"SUV needs {tag.keyword}", tag=tag)
    return value
