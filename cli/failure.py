"""What an error costs: the table from the packages' root errors to exit codes, and the words that a person reads."""

from __future__ import annotations

#: A class is named, not imported, so that no package is loaded to explain another's error.
EXIT_CODES = {
    "provision.errors.DeclarationError": 3,
    "provision.errors.NoEndpoint": 2,
    "provision.errors.ProvisionError": 4,
    "provision.image.errors.ImageNotBuilt": 8,
    "provision.visit.errors.NotUpgraded": 6,
    "converter.errors.ConversionError": 5,
    "appliance.errors.ApplianceError": 6,
    "exchange.errors.ExchangeError": 7,
    "builtins.OSError": 8,
    "emulator.errors.EmulatorError": 9,
}


def exit_code_of(error: BaseException) -> int | None:
    """The documented exit code of an error, by its nearest class in the table; None for a bug."""
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((EXIT_CODES[name] for name in names if name in EXIT_CODES), None)


def words_of(error: BaseException) -> str:
    """The error in one line or more, as a person should read it."""
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return str(error)
