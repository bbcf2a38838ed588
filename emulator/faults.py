"""Bad days to rehearse: calls that fail, hang up, or claim a success that did not happen.

A fault is written `METHOD:WHAT[@WHICH]`: `image.allocate:2048@3` refuses the third image.allocate, `vm.*:drop@2+`
hangs up on every call of a VM's method from the second on.

=========  =======================================================================
WHAT       effect
=========  =======================================================================
256..      one of OpenNebula's codes: refused with it, nothing done
drop       the connection is closed, nothing done
lost       done, and the connection is closed without the answer
noop       answered as done, and not done
<n>ms      answered later by that many milliseconds
fail       (of `boot`, `prolog`, `image`, `snapshot`, `monitor.HOST`) the driver's action fails
=========  =======================================================================

WHICH is `3` (the third call), `3-5`, `3+`, or left out (every call).
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from emulator.errors import Code, EmulatorError
from emulator.methods import METHODS

if TYPE_CHECKING:
    from collections.abc import Iterable

PATTERN = re.compile(
    r"(?P<method>[\w.*-]+):(?P<what>\d+ms|\d+|drop|lost|noop|fail)(?:@(?P<first>\d+)(?P<more>\+|-\d+)?)?"
)


CODES = tuple(str(int(code)) for code in Code)
ACTIONS = ("boot", "prolog", "image", "snapshot")


@dataclass(frozen=True)
class FaultRule:
    """One fault that was asked for; `last` is None where it never ends."""

    method: str
    what: str
    first: int = 1
    last: int | None = None

    def concerns(self, method: str, number: int) -> bool:
        """Whether it strikes the method's call of this number (from 1)."""
        return fnmatchcase(method, self.method) and self.first <= number and (self.last is None or number <= self.last)


def parse_fault(text: str) -> FaultRule:
    """The fault that a text asks for; `one.` may stand before a method.

    Raises
    ------
    EmulatorError
        When it is not written as above, or would never strike.
    """
    found = PATTERN.fullmatch(text)
    if found is None:
        raise EmulatorError(f"not a fault: {text!r}; write METHOD:WHAT[@WHICH], such as image.allocate:2048@3")
    method, what = found["method"].removeprefix("one."), found["what"]
    _check(text, method, what)
    first, more = found["first"], found["more"] or ""
    if first is None:
        return FaultRule(method, what)
    last = None if more == "+" else int(more[1:] or first)
    if int(first) < 1 or (last is not None and last < int(first)):
        raise EmulatorError(f"not a fault: {text!r}; calls are counted from 1, and a range goes up, such as @2-4")
    return FaultRule(method, what, int(first), last)


def _check(text: str, method: str, what: str) -> None:
    """Refuse a fault that could never strike."""
    if what.isdigit() and what not in CODES:
        raise EmulatorError(f"not a fault: {text!r}; {what} is none of OpenNebula's codes {', '.join(CODES)}")
    if what == "fail":
        if not any(fnmatchcase(name, method) for name in ACTIONS) and not method.startswith("monitor."):
            raise EmulatorError(f"not a fault: {text!r}; `fail` is for {', '.join(ACTIONS)} and monitor.HOST")
    elif not any(fnmatchcase(name.removeprefix("one."), method) for name in METHODS):
        raise EmulatorError(f"not a fault: {text!r}; the embedded cloud answers no method {method!r}")


class Faults:
    """The faults of a cloud, and how often each method was called."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._rules = [parse_fault(text) for text in texts]
        self._counts: dict[tuple[int, str], int] = {}
        self._lock = threading.Lock()

    def add(self, text: str) -> None:
        """Ask for one more fault; calls are counted from now on."""
        with self._lock:
            self._rules.append(parse_fault(text))

    def strike(self, method: str) -> frozenset[str]:
        """What strikes this call of a method; each call is counted."""
        if not self._rules:
            return frozenset()
        with self._lock:
            return frozenset(rule.what for number, rule in enumerate(self._rules) if self._struck(number, rule, method))

    def _struck(self, number: int, rule: FaultRule, method: str) -> bool:
        if not fnmatchcase(method, rule.method):
            return False
        self._counts[number, rule.method] = count = self._counts.get((number, rule.method), 0) + 1
        return rule.concerns(method, count)
