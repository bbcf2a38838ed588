"""A round: several appliances visited at once; one that cannot be visited does not stop the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from provision.errors import ProvisionError
from provision.visit.shell import NotVisited, shell_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from provision.visit.shell import Machine, Shell

Answer = TypeVar("Answer")
AT_ONCE = 16


@dataclass(frozen=True)
class Round(Generic[Answer]):
    """What each appliance answered, and why others were not visited; both by name, in the order of asking."""

    answers: Mapping[str, Answer]
    failures: Mapping[str, ProvisionError]

    def check(self) -> None:
        """Say who was not visited.

        Raises
        ------
        NotVisited
            Somebody was not; with each reason.
        """
        if self.failures:
            raise NotVisited("\n  ".join(str(error) for error in self.failures.values()))


def visit_all(
    machines: Sequence[Machine],
    visit: Callable[[Shell], Answer],
    tell: Callable[[str, str], None] = lambda _name, _words: None,
) -> Round[Answer]:
    """Visit every machine, several at once; `tell` hears of each when it is reached, and when it is over."""

    def one(machine: Machine) -> tuple[Answer | None, ProvisionError | None]:
        try:
            with shell_in(machine) as shell:
                tell(machine.name, "connected")
                answer = visit(shell)
        except ProvisionError as error:
            tell(machine.name, str(error))
            return None, error
        tell(machine.name, "answered")
        return answer, None

    with ThreadPoolExecutor(AT_ONCE) as visitors:
        found = dict(zip((machine.name for machine in machines), visitors.map(one, machines), strict=True))
    answers = {name: answer for name, (answer, error) in found.items() if error is None and answer is not None}
    return Round(answers, {name: error for name, (_, error) in found.items() if error is not None})
