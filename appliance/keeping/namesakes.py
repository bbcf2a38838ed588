"""Two people under one Patient ID: whether what two data sets say of a patient can be said of one person."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from converter.layout import person
from converter.letters import JOINERS, tells_names_apart

if TYPE_CHECKING:
    from appliance.index.models import Patient, Study

_PARTED = str.maketrans(dict.fromkeys(JOINERS, " "))


def may_be_one(name: str, birth_date: str, other_name: str, other_birth_date: str) -> bool:
    """
    Whether both may speak of one person.

    Scanners and registries write one person's name in many ways (a middle name more, other capitals, no accents, the
    parts in another order), so a name is another one only where each has a word that the other has not. What is
    missing contradicts nothing.

    Parameters
    ----------
    name, other_name
        (0010,0010) Patient's Name.
    birth_date, other_birth_date
        (0010,0030) Patient's Birth Date, as `YYYYMMDD`.
    """
    if birth_date and other_birth_date and birth_date != other_birth_date:
        return False
    return any(words <= others or others <= words for words in _readings(name) for others in _readings(other_name))


def is_another(study: Study, patient: Patient) -> bool:
    """Whether a study names somebody else than the patient under whose ID it came."""
    return not may_be_one(study.patient_name, study.patient_birth_date, patient.name, patient.birth_date)


def is_nameless(name: str) -> bool:
    """Whether a Patient's Name names nobody: it is empty, or has neither letter nor digit."""
    return not _words(name)


def name_of(study: Study, patient: Patient) -> str:
    """Whose a study is called: its patient's, or its own where that is somebody else's or the patient has none."""
    late = is_nameless(patient.name) and not is_nameless(study.patient_name)
    return study.patient_name if late or is_another(study, patient) else patient.name


def _readings(name: str) -> tuple[frozenset[str], ...]:
    """Its words where a joiner joins, and where it parts: many type a space, and an older index has one."""
    return _words(name), _words(name.translate(_PARTED))


def _words(name: str) -> frozenset[str]:
    plain = unicodedata.normalize("NFKD", person(name)).casefold()
    words = "".join(_spelt(letter) for letter in plain).split()
    return frozenset(word for word in words if any(map(str.isalnum, word)))


def _spelt(letter: str) -> str:
    """What a character adds to its word: itself, nothing, or the word's end."""
    if not tells_names_apart(letter):
        return ""
    return letter if letter.isalnum() or unicodedata.category(letter).startswith("M") else " "
