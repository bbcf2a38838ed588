"""A layout of the user's own: a template for the paths of pictures."""

from __future__ import annotations

import re
import string
from dataclasses import asdict, fields
from pathlib import PurePosixPath

from converter.errors import ConversionError
from converter.layout import LONG_DIGEST, InstanceNames, digest, person, safe

_FIELDS = (*(field.name for field in fields(InstanceNames)), "uid")
#: What tells two instances apart.
_KEYS = frozenset({"uid", "sop_instance_uid"})
# PS3.5 9.1: at most 64 signs, digits and dots.
_UID = re.compile(r"(?=.{1,64}$)[0-9]+(\.[0-9]+)*")
_PART_LENGTH = 60


def fields_of(template: str) -> set[str]:
    """The fields that a template uses.

    Raises
    ------
    ConversionError
        Where it is no template, or uses something that an instance is not known by.
    """
    try:
        used = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    except ValueError as error:
        raise ConversionError(f"the layout {template!r} is wrong: {error}") from error
    if unknown := sorted(used - set(_FIELDS)):
        raise ConversionError(f"the layout {template!r} is wrong at {unknown[0]!r}; fields are {', '.join(_FIELDS)}")
    return used


def templated(template: str, names: InstanceNames) -> PurePosixPath:
    """The path that a template gives; no part of it can be `..`, absolute, or hold a separator from a value.

    A part that is too long is shortened before what tells instances apart and never within it.

    Raises
    ------
    ConversionError
        Where a value cannot be written as the template says.
    """
    key, uid = digest(names.sop_instance_uid, LONG_DIGEST), _name_of(names.sop_instance_uid)
    values = asdict(names) | {"patient_name": person(names.patient_name), "sop_instance_uid": uid, "uid": key}
    texts = {name: "" if value is None else str(value).replace("/", "_") for name, value in values.items()}
    unique = template if _tells_apart(template) else f"{template} {{uid}}"
    try:
        text = string.Formatter().vformat(unique, (), texts)
    except (ValueError, LookupError) as error:
        raise ConversionError(f"the layout {template!r} is wrong: {error}") from error
    parts = [_part(part, (uid, key)) for part in text.split("/") if part.strip()]
    return PurePosixPath(*(parts or ["_"]))


def _tells_apart(template: str) -> bool:
    """Whether a template writes a key as it is; a format such as `{uid:.4}` may cut it."""
    fields_of(template)
    pieces = string.Formatter().parse(template)
    return any(name in _KEYS and not form and not conversion for _, name, form, conversion in pieces)


def _name_of(uid: str) -> str:
    """A SOP Instance UID as a name has it: itself, or the start of what is no UID and a digest of it."""
    if _UID.fullmatch(uid):
        return uid
    return f"{safe(uid, _PART_LENGTH - LONG_DIGEST - 1)} {digest(uid, LONG_DIGEST)}"


def _part(text: str, keys: tuple[str, ...]) -> str:
    key = next((key for key in keys if key in text), "")
    length = max(_PART_LENGTH, len(key))
    whole = safe(text, length)
    if key in whole:
        return whole
    shown = safe(text.partition(key)[0], max(0, length - len(key) - 1), keep_empty=True)
    return safe(f"{shown} {key}", length)
