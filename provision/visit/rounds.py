"""A round: several appliances visited, side by side or in turn; one that cannot be visited does not stop the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from exchange.errors import ExchangeError
from provision.errors import ProvisionError
from provision.visit.connections import Connections
from provision.visit.errors import NotUpgraded, Unsettled
from provision.visit.shell import NotVisited, shell_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from provision.visit.shell import Machine, Shell

    Teller = Callable[[str, str], None]

Answer = TypeVar("Answer")
AT_ONCE = 16
#: What can go wrong with one branch, or for a moment: the cloud, the way to the machine, the exchange, a disk.
TROUBLE = (ProvisionError, ExchangeError, OSError)


@dataclass(frozen=True)
class Round(Generic[Answer]):
    """What each appliance answered, and why others did not; all by name, in the order of asking.

    Attributes
    ----------
    left
        Who was not visited any more, since one before them does not serve.
    """

    answers: Mapping[str, Answer]
    failures: Mapping[str, ProvisionError]
    left: tuple[str, ...] = ()

    def check(self) -> None:
        """Say who failed.

        Raises
        ------
        NotUpgraded
            All that failed refused the upgrade themselves.
        NotVisited
            Somebody was not reached; with each reason.
        """
        if not self.failures:
            return
        refused = all(isinstance(error, NotUpgraded) for error in self.failures.values())
        words = [_named(name, error) for name, error in self.failures.items()]
        left = [f"{name}: left as it was" for name in self.left]
        raise (NotUpgraded if refused else NotVisited)("\n  ".join([*words, *left]))


def visit_all(
    machines: Sequence[Machine], visit: Callable[[Shell], Answer], tell: Teller = lambda _name, _words: None
) -> Round[Answer]:
    """Visit every machine, several at once; `tell` hears of each when it is reached, and when it is over.

    Ctrl-C cuts all connections.
    """
    connections = Connections()
    one = partial(_one, visit=lambda shell, said: _answered(visit(shell), said), tell=tell, connections=connections)
    with ThreadPoolExecutor(AT_ONCE) as visitors:
        try:
            return _round(zip((machine.name for machine in machines), visitors.map(one, machines), strict=True))
        except KeyboardInterrupt:  # nobody is waited for but to clear away
            visitors.shutdown(wait=False, cancel_futures=True)
            connections.cut()
            raise


def _answered(answer: Answer, said: Callable[[str], None]) -> Answer:
    said("answered")
    return answer


def visit_in_turn(
    machines: Sequence[Machine],
    visit: Callable[[Shell, Callable[[str], None]], Answer],
    tell: Teller = lambda _name, _words: None,
    *,
    keep_going: bool = False,
) -> Round[Answer]:
    """Visit one machine after the other, up to one that is left not serving; all of them, to keep going.

    `visit` tells what it does; `tell` hears it, with the machine's name.
    """
    by_name = {machine.name: machine for machine in machines}
    return in_turn(list(by_name), lambda name: _one(by_name[name], visit=visit, tell=tell), keep_going=keep_going)


def in_turn(
    names: Sequence[str], deed: Callable[[str], Answer | ProvisionError], *, keep_going: bool = False
) -> Round[Answer]:
    """Do something for one branch after the other, up to one that it leaves not serving; for all, to keep going."""
    found: list[tuple[str, Answer | ProvisionError]] = []
    for name in names:
        found.append((name, deed(name)))
        if isinstance(found[-1][1], Unsettled) and not keep_going:
            break
    return _round(found, tuple(names[len(found) :]))


def _one(
    machine: Machine,
    *,
    visit: Callable[[Shell, Callable[[str], None]], Answer],
    tell: Teller,
    connections: Connections | None = None,
) -> Answer | ProvisionError:
    def visited() -> Answer:
        with shell_in(machine, connections) as shell:
            tell(machine.name, "connected")
            return visit(shell, partial(tell, machine.name))

    return tried(machine.name, visited, tell)


def tried(name: str, deed: Callable[[], Answer], tell: Teller) -> Answer | ProvisionError:
    """What comes of a deed for one branch; trouble comes back as an error, and is told."""
    try:
        return deed()
    except TROUBLE as error:
        tell(name, str(error))
        return error if isinstance(error, ProvisionError) else NotVisited(f"{name}: {error}")


def _round(found: Iterable[tuple[str, Answer | ProvisionError]], left: tuple[str, ...] = ()) -> Round[Answer]:
    answers: dict[str, Answer] = {}
    failures: dict[str, ProvisionError] = {}
    for name, answer in found:
        if isinstance(answer, ProvisionError):
            failures[name] = answer
        else:
            answers[name] = answer
    return Round(answers, failures, left)


def _named(name: str, error: ProvisionError) -> str:
    """An error that says whose it is."""
    return str(error) if str(error).startswith(name) else f"{name}: {error}"
