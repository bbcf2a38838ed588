"""The report of an import: how many of how many images arrived, what was not filed and why; for whoever copied them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from appliance.inbox.folder import NOT_FILED, REPORT, TEXT
from appliance.inbox.tally import Fate, Tally
from converter.letters import in_a_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from appliance.inbox.folder import PersonsFolder

#: Of the files that did not come, so many are named.
MOST_NAMED = 50
#: Of the images that an import's DICOMDIRs name, so many are remembered: several CDs. More take memory without a bound.
MOST_LISTED = 20_000
#: The order in which a report tells what became of images.
_KEPT = (Fate.NEW, Fate.AGAIN, Fate.ELSEWHERE)
#: Bytes of a file's name that are no UTF-8, as Python has them in a text (PEP 383).
_BYTES = "".join(map(chr, range(0xDC80, 0xDD00)))


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y-%m-%d %H.%M.%S")


@dataclass
class Report:
    """
    What is told of one import. Texts beside what was not filed grow with each such file.

    Attributes
    ----------
    waits
        Why it goes no further just now.
    listed, missing
        What DICOMDIRs name, by SOP Instance UID, and the files of those that the archive does not have at the end.
    is_unlisted
        DICOMDIRs name more than can be looked for.
    """

    begun: str = field(default_factory=_now)
    tally: Tally = field(default_factory=Tally)
    waits: str = ""
    listed: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    is_unlisted: bool = False

    @property
    def name(self) -> str:
        """The report's, in the person's folder."""
        return f"{REPORT}{self.begun}{TEXT}"

    @property
    def reasons(self) -> str:
        """The text beside what was not filed."""
        return f"{NOT_FILED}/{self.begun}{TEXT}"

    def set_aside(self, folder: PersonsFolder, name: str) -> None:
        """Move a file beside."""
        folder.set_aside(name, self.begun)

    def tell(self, folder: PersonsFolder, reasons: Iterable[tuple[str, str]]) -> None:
        """Say why a file, or members of a ZIP, are not filed."""
        folder.append(self.reasons, "".join(f"{_in_a_line(name)}\n    {_in_a_line(why)}\n" for name, why in reasons))

    def expect(self, read: Callable[[], dict[str, str]]) -> None:
        """Remember what a DICOMDIR names; nothing at all once that is too much, and no other is read then."""
        if self.is_unlisted:
            return
        self.listed |= read()
        if len(self.listed) > MOST_LISTED:
            self.is_unlisted, self.listed = True, {}

    def write(self, folder: PersonsFolder, *, is_over: bool) -> None:
        """Write it as it stands."""
        folder.write(self.name, "\n".join(self._lines(is_over=is_over)) + "\n")

    def _lines(self, *, is_over: bool) -> list[str]:
        tally = self.tally
        state = "" if is_over else f" so far; {self.waits or 'the import goes on'}"
        lines = [f"Import of {self.begun}", "", f"{tally.kept} of {tally.images} images arrived{state}."]
        lines += [f"  {tally.fates[fate]} {fate.value}" for fate in _KEPT if tally.fates[fate]]
        if self.missing:
            lines += [
                "",
                f"MISSING: {len(self.missing)} images that the CD's own list names did not come, or not whole:",
            ]
            lines += [f"  {_in_a_line(name)}" for name in sorted(self.missing)[:MOST_NAMED]]
        if self.is_unlisted:
            lines += ["", f"The lists of the CDs name more than {MOST_LISTED} images: nobody looked whether all came."]
        refused, others = tally.fates[Fate.REFUSED], tally.fates[Fate.NO_IMAGE]
        if refused:
            lines += ["", f"NOT FILED: {refused} of the images."]
        if others:
            lines += ["", f"{others} files are no DICOM images, as a CD's viewer, and nothing that is kept here."]
        if refused or others:
            lines += [f'They lie in the folder "{NOT_FILED}", in "{self.begun}"; "{self.begun}{TEXT}" there says why.']
        return lines


def _in_a_line(text: str) -> str:
    return in_a_line(text, _BYTES)
