"""What an error costs: the table from the packages' root errors to exit codes, and the words that a person reads."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import Any

#: A class is named, not imported, so that no package is loaded to explain another's error.
EXIT_CODES = {
    "provision.errors.DeclarationError": 3,
    "provision.errors.WrongAccess": 2,
    "provision.errors.ProvisionError": 4,
    "provision.image.errors.ImageNotBuilt": 8,
    "provision.visit.errors.NotUpgraded": 6,
    "converter.errors.ConversionError": 5,
    "appliance.errors.ApplianceError": 6,
    "exchange.errors.ExchangeError": 7,
    "builtins.OSError": 8,
    "emulator.errors.EmulatorError": 9,
}

#: What errors know besides their words, for programs.
FACTS = {
    "provision.errors.DeclarationError": ("source", "problems"),
    "provision.errors.CloudError": ("subject", "call", "words", "advice"),
    "provision.errors.Blocked": ("reasons",),
    "provision.errors.NotFinished": ("failures",),
    "converter.errors.ConversionError": ("file", "frame", "tag_text", "reason"),
}


def exit_code_of(error: BaseException) -> int | None:
    """The documented exit code of an error, by its nearest class in the table; None for a bug."""
    return next((EXIT_CODES[name] for name in _names(error) if name in EXIT_CODES), None)


def document_of(error: BaseException, words: str, exit_code: int) -> dict[str, Any]:
    """The error as programs read it: `kind`, `message` and `exit_code`, and `facts` where it knows more than words."""
    told = {"kind": type(error).__name__, "message": words, "exit_code": exit_code}
    names = next((FACTS[name] for name in _names(error) if name in FACTS), ())
    facts = {name.removesuffix("_text"): _plain(getattr(error, name)) for name in names}
    return {"error": {**told, **({"facts": facts} if facts else {})}}


def words_of(error: BaseException) -> str:
    """The error in one line or more, as a person should read it."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return str(error)


def _names(error: BaseException) -> list[str]:
    return [f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__]


def _plain(value: Any) -> Any:
    """A fact as JSON has it: a list of objects or of texts, or what it is."""
    if not isinstance(value, tuple):
        return value
    return [asdict(each) if is_dataclass(each) and not isinstance(each, type) else each for each in value]
