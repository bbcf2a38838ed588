"""Which studies a text finds: by the patient's name as people type it, or by the beginning of a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, and_, false, or_

from appliance.index.models import Patient, Study
from appliance.index.search_name import search_name

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


def matching(question: Select[*tuple[Any, ...]], text: str) -> Select[*tuple[Any, ...]]:
    """Of the studies of a question those that a text finds; without a text, all; with their patients."""
    question = question.join(Patient, Study.patient_key == Patient.id)
    if not text:
        return question
    words = dict.fromkeys(search_name(text).split())
    each = and_(*(or_(_is_named(word), _is_numbered(word)) for word in words)) if words else false()
    return question.where(or_(each, _is_numbered(text)))


def _is_named(word: str) -> ColumnElement[bool]:
    return or_(*(table.search_name.contains(word, autoescape=True) for table in (Patient, Study)))


def _is_numbered(text: str) -> ColumnElement[bool]:
    return or_(
        Patient.patient_id.istartswith(text, autoescape=True), Study.accession_number.istartswith(text, autoescape=True)
    )
