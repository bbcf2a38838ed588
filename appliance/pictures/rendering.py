"""The rendering: whatever the index says has no pictures yet is drawn, in processes beside the service."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING

import structlog

from appliance.errors import ArchiveFull
from appliance.pictures.drawn import Drawing
from appliance.pictures.moving import misplaced_studies, put_right
from appliance.pictures.processes import Processes, draw
from appliance.pictures.renditions import clear_halves, next_pending, record, try_failed_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from appliance.keeping.archive import Archive
    from appliance.keeping.filing import Filed
    from appliance.pictures.renditions import Task

log = structlog.get_logger("appliance.pictures.rendering")

#: How long nothing is tried after the disk was full, or after anything else that is not an instance's fault.
PAUSE_S = 10.0

#: How many instances are handed out at a time, and how long results are gathered for one commit: the processes have
#: work meanwhile, and receiving is not made to wait for a flush for every picture.
WIDTH = 32
GATHERING_S = 0.05

#: Idle for so long, the drawing processes are let go: an appliance is idle most of the day, and its memory small.
IDLE_S = 30.0

#: So often may an instance stand still, for five minutes each time, before it is to blame and not the disk.
MOST_STILL = 3

_STOP_S = 2.0


class Rendering:
    """
    The thread that hands out what is pending and records what comes back.

    Parameters
    ----------
    archive
        Where the files and the index are.
    executor
        Makes the executor, at the start and again after one of its processes has died.
    """

    def __init__(self, archive: Archive, executor: Callable[[], Executor] = Processes) -> None:
        self._archive = archive
        self._new_executor = executor
        self._work = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rendering", daemon=True)
        self._handed_out: dict[Future[Drawing], Task] = {}
        self._suspects: list[Task] = []
        self._alone: Task | None = None
        self._still: Counter[int] = Counter()
        archive.listen(self.wake)

    def start(self) -> None:
        """Begin, with what an earlier process left undone."""
        with suppress(ArchiveFull, OSError):  # then the next start does it
            try_failed_again(self._archive, version("gurney"))
        clear_halves(self._archive)
        self._executor = self._new_executor()
        self._work.set()
        self._thread.start()

    def wake(self, _filed: Filed | None = None) -> None:
        """There is something new."""
        self._work.set()

    def stop(self) -> None:
        """End quickly; what is being drawn is drawn again at the next start."""
        self._stopping.set()
        self._work.set()
        self._thread.join(_STOP_S)
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._await_work()
                while not self._stopping.is_set() and self._step():
                    pass
            except (ArchiveFull, OSError) as error:
                log.warning("rendering waits", reason=str(error), seconds=PAUSE_S)
                self._pause()
            except Exception:
                log.exception("rendering failed")
                self._pause()

    def _await_work(self) -> None:
        """Wait until something is new; meanwhile let idle processes of this machine go: a task starts new ones."""
        if not self._work.wait(IDLE_S):
            if isinstance(self._executor, Processes):
                self._renew()
            self._work.wait()
        self._work.clear()

    def _renew(self) -> None:
        """Take another executor; where none can be made, as without a descriptor for its pipes, this one stays."""
        former, self._executor = self._executor, self._new_executor()
        former.shutdown(wait=False)

    def _pause(self) -> None:
        self._stopping.wait(PAUSE_S)
        still = wait(self._handed_out, timeout=PAUSE_S).not_done  # not moved, or drawn again, while it is being drawn
        self._handed_out = {future: task for future, task in self._handed_out.items() if future in still}
        self._alone = self._alone if self._alone in self._handed_out.values() else None
        self._work.set()

    def _step(self) -> bool:
        """Hand out, wait for one to come back, record; False once there is nothing to do."""
        self._hand_out(self._next())
        if not self._handed_out:
            return False
        wait(self._handed_out, timeout=0.5, return_when=FIRST_COMPLETED)
        self._stopping.wait(GATHERING_S)
        done = [future for future in self._handed_out if future.done()]
        self._take_back({future: self._handed_out.pop(future) for future in done})
        return True

    def _next(self) -> list[Task]:
        """What is drawn next; nothing, until what is being drawn is done, where pictures are to be moved first."""
        misplaced = misplaced_studies(self._archive)
        if misplaced and self._handed_out:
            return []
        for study in misplaced:
            put_right(self._archive, study)
        if misplaced:
            self._suspects.clear()  # whose folders may have changed: they are pending, and come again
        return self._next_pending()

    def _next_pending(self) -> list[Task]:
        """After a process has died, who was with it goes alone: so it is seen whose fault it was."""
        if self._suspects and not self._handed_out:
            self._alone = self._suspects.pop()
            return [self._alone]
        if self._suspects or self._alone:
            return []
        free = WIDTH - len(self._handed_out)
        busy = [task.key for task in self._handed_out.values()]
        return next_pending(self._archive, free, busy) if free else []

    def _hand_out(self, tasks: Iterable[Task]) -> None:
        for task in tasks:
            try:
                future = self._executor.submit(draw, task.source, task.folder, task.stem)
            except BrokenProcessPool:
                self._renew()
                future = self._executor.submit(draw, task.source, task.folder, task.stem)
            self._handed_out[future] = task

    def _take_back(self, done: dict[Future[Drawing], Task]) -> None:
        dead = [task for future, task in done.items() if isinstance(future.exception(), BrokenProcessPool)]
        results = {task: _result(future) for future, task in done.items() if task not in dead}
        if dead == [self._alone]:
            results[dead.pop()] = Drawing(reason="given up: the process that drew it died")
        self._suspects.extend(dead)
        self._alone = None if self._alone in done.values() else self._alone
        record(
            self._archive, {task: drawing for task, drawing in results.items() if not self._comes_again(task, drawing)}
        )

    def _comes_again(self, task: Task, drawing: Drawing) -> bool:
        """Whether it stood still, and not for the last time: it is pending, and is drawn again."""
        self._still[task.key] += drawing.stood_still
        comes_again = drawing.stood_still and self._still[task.key] < MOST_STILL
        if not comes_again:
            del self._still[task.key]
        return comes_again


def _result(future: Future[Drawing]) -> Drawing:
    """What came back; a fault of the program costs its instance, a disk that is full costs none."""
    try:
        return future.result()
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - who records it logs it
        return Drawing.failed(error)
