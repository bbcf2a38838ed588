"""What can go wrong between a community file and the cloud, each error in words that say what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class ProvisionError(Exception):
    """Root of all that provisioning refuses or cannot do."""


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a community file, with the place where a person can see it."""

    line: int
    column: int
    where: str
    words: str

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}"
        return f"{place}: {self.where}: {self.words}" if self.where else f"{place}: {self.words}"


class DeclarationError(ProvisionError):
    """A community file that does not declare a community; `problems` holds every mistake."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems))
        mistakes = "1 mistake" if len(self.problems) == 1 else f"{len(self.problems)} mistakes"
        super().__init__("\n  ".join([f"{source}: {mistakes}", *(str(problem) for problem in self.problems)]))


class CloudError(ProvisionError):
    """A call that OpenNebula refused, or answered with something else than it should."""

    def __init__(self, call: str, words: str, *, subject: str = "", advice: str = "") -> None:
        self.call = call
        self.words = words
        self.subject = subject
        self.advice = advice
        parts = [f"{subject}: " if subject else "", f"{call}: {words}", f" ({advice})" if advice else ""]
        super().__init__("".join(parts))

    def about(self, subject: str) -> CloudError:
        """The same error, naming the object that it is about."""
        return type(self)(self.call, self.words, subject=subject, advice=self.advice)


class WrongAccess(ProvisionError):
    """Where the front end is, or how to log in there, is not said, or said wrongly; nobody was asked."""


class CloudUnreachable(CloudError):
    """The front end did not answer."""


class NotAccepted(CloudError):
    """OpenNebula does not accept the login."""


class NotCarried(ProvisionError):
    """A value that OpenNebula's template syntax cannot carry."""


class Blocked(ProvisionError):
    """A plan that OpenNebula cannot carry out as declared; `reasons` says each, with the alternative."""

    def __init__(self, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__("This cannot be carried out, and nothing at all was changed:\n  " + "\n  ".join(self.reasons))


class Busy(ProvisionError):
    """Another admin is applying."""


class CloudChanged(ProvisionError):
    """The cloud is no longer what the plan was made from."""


class NotFinished(ProvisionError):
    """Steps that failed, or that the cloud accepted and did not do; `failures` says each."""

    def __init__(self, failures: Sequence[str], done: int, left: int) -> None:
        self.failures = tuple(failures)
        lines = [f"{done} steps done, {left} not done. Run apply again to go on from here.", *self.failures]
        super().__init__("\n  ".join(lines))


class Interrupted(ProvisionError):
    """An apply that was stopped while it waited; no refusal of the cloud's, that something harsher would answer."""


class NotReady(ProvisionError):
    """Appliances that did not become ready in time."""


class NoIdentity(ProvisionError):
    """The community's keys cannot be opened with this admin's identity."""
