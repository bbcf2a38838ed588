"""Steps taken side by side, each after those that it waits for."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from heapq import heapify, heappop, heappush
from queue import SimpleQueue
from typing import TYPE_CHECKING

from exchange.errors import ExchangeError
from provision.applying.holding import still_holding
from provision.errors import CloudError, ProvisionError
from provision.kinds.table import KINDS
from provision.planning.step import CREATE, DELETE

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.kind import Act
    from provision.planning.resource import Ref
    from provision.planning.step import Step

    Event = str | tuple[Step, Future[None]]
    """What comes of the workers: a word on a step that takes long, or a step that is over."""

#: Steps in hand; most of them wait for the cloud, and `Cloud` lets only a few calls through at a time.
IN_HAND = 24


@dataclass(frozen=True)
class Progress:
    """How far it is: steps done and in all, and the step in words."""

    done: int
    total: int
    words: str


@dataclass
class Outcome:
    """How many steps were taken, and what went wrong with the others."""

    done: int = 0
    failures: list[str] = field(default_factory=list)


def take(steps: tuple[Step, ...], act: Act, on_progress: Callable[[Progress], None]) -> Outcome:
    """Take every step that can be taken, those first behind which most is left; what waits for a failed one is left."""
    outcome = Outcome()
    queue = _Queue(steps)
    finished: SimpleQueue[Event] = SimpleQueue()
    act.tell = finished.put
    with ThreadPoolExecutor(IN_HAND) as workers:
        try:
            running = _start(queue.next(IN_HAND), workers, act, finished)
            while running:
                event = finished.get()
                if isinstance(event, str):
                    on_progress(Progress(outcome.done, len(steps), event))
                    continue
                step, future = event
                running -= 1
                if _succeeded(future, step, outcome):
                    queue.done(step)
                    on_progress(Progress(outcome.done, len(steps), str(step)))
                running += _start(queue.next(IN_HAND - running), workers, act, finished)
        except BaseException:
            act.watch.stop()
            workers.shutdown(wait=False, cancel_futures=True)
            raise
    return outcome


class _Queue:
    """Steps that wait for others, each with how many it still waits for."""

    def __init__(self, steps: tuple[Step, ...]) -> None:
        open_ids = {step.id for step in steps}
        self._left = {step.id: len(step.after & open_ids) for step in steps}
        self._waiting: dict[tuple[str, Ref], list[Step]] = defaultdict(list)
        for step in steps:
            for each in step.after & open_ids:
                self._waiting[each].append(step)
        self._place = self._places(steps)
        self._ready = [(*self._place[step.id], step) for step in steps if not self._left[step.id]]
        heapify(self._ready)

    def next(self, count: int) -> list[Step]:
        """At most so many of the steps that wait for none any more, and are taken out."""
        return [heappop(self._ready)[-1] for _ in range(min(count, len(self._ready)))]

    def done(self, step: Step) -> None:
        """A step was taken: what waited for it last may be taken too."""
        for each in self._waiting[step.id]:
            self._left[each.id] -= 1
            if not self._left[each.id]:
                heappush(self._ready, (*self._place[each.id], each))

    def _places(self, steps: tuple[Step, ...]) -> dict[tuple[str, Ref], tuple[int, int, int]]:
        """Where each step stands: earlier with a longer way behind it, and with a later kind, as VMs wait most."""
        ways: dict[tuple[str, Ref], int] = {}
        for step in reversed(steps):  # each stands after those that it waits for
            ways[step.id] = 1 + max((ways[each.id] for each in self._waiting[step.id]), default=0)
        late = {kind: -place for place, kind in enumerate(KINDS)}
        return {step.id: (-ways[step.id], late[step.kind], place) for place, step in enumerate(steps)}


def _start(steps: list[Step], workers: ThreadPoolExecutor, act: Act, finished: SimpleQueue[Event]) -> int:
    """Begin with steps; how many they are."""
    for step in steps:
        future = workers.submit(_take_one, step, act)
        future.add_done_callback(partial(lambda step, future: finished.put((step, future)), step))
    return len(steps)


def _succeeded(future: Future[None], step: Step, outcome: Outcome) -> bool:
    """Count a finished step; a bug is raised, everything else is told at the end."""
    try:
        future.result()
    except CloudError as error:
        outcome.failures.append(str(error if error.subject else error.about(str(step))))
        return False
    except (ProvisionError, ExchangeError, OSError) as error:
        outcome.failures.append(f"{step}: {error}")
        return False
    outcome.done += 1
    return True


def _take_one(step: Step, act: Act) -> None:
    act.watch.go_on()
    kind = KINDS[step.kind]
    if step.action == CREATE:
        assert step.declared is not None
        number = kind.create(act, step.declared)
        act.ids[step.ref] = number
        _set_fields(kind.later, step, number, act)
    elif step.action == DELETE:
        assert step.existing is not None
        assert kind.remove is not None
        if step.successor is not None and kind.replaceable is not None:
            kind.replaceable(act, step.successor)
        if step.loses:
            still_holding(act.desk, act.community, act.holding)
        kind.remove(act, step.existing)
    else:
        assert step.existing is not None
        _set_fields([change.field for change in step.changes], step, step.existing.id, act)


def _set_fields(names: list[str] | tuple[str, ...], step: Step, number: int, act: Act) -> None:
    """Bring fields about, each function once, in the order of the kind's table."""
    assert step.declared is not None
    table = KINDS[step.kind].in_place
    functions = dict.fromkeys(function for name, function in table.items() if name in names)
    for function in functions:
        function(act, step.declared, number, step.existing)
