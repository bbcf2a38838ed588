"""The processes that draw, which a hostile file may end without the service."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path

from appliance.pictures.drawn import Drawing
from converter.limits import LIMITS, MIB
from converter.workers import guard

#: Drawing yields to receiving: an instance that waits for its picture is kept already. Where the machine's memory is
#: at its end the kernel ends a process that draws (proc_pid_oom_score_adj(5)), and neither the service nor Samba.
_NICENESS = 10
_FIRST_TO_GO = "1000"

#: All that draw share half of the machine's memory. A radiograph of 22 million pixels fits into the least that one may
#: add: 11.4 bytes a pixel, measured on 7000 x 7000 of 16 bits.
_LEAST_MEMORY_MIB = 256


class Processes(ProcessPoolExecutor):
    """Drawing processes, forked from a clean server: they inherit no socket, lock or thread of the service."""

    def __init__(self, count: int | None = None) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["appliance.pictures.drawing"])
        count = count or os.cpu_count() or 1
        super().__init__(count, context, initializer=prepare_process, initargs=(memory_mib(count),))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes at once: what they were drawing is drawn again."""
        for process in list((self._processes or {}).values()):
            process.kill()
        super().shutdown(wait, cancel_futures=cancel_futures)


def draw(source: Path, folder: Path, stem: str) -> Drawing:
    """
    Draw, in the process that calls this: see `appliance.pictures.drawing`, which no other process needs.

    A fault of the program is told in words: the service has not the libraries that raised it, and could not read it.
    """
    from appliance.pictures import drawing

    try:
        return drawing.draw(source, folder, stem)
    except OSError:
        raise
    except Exception as error:  # noqa: BLE001 - the service logs it
        return Drawing.failed(error)


def memory_mib(processes: int) -> int:
    """How much memory each of so many processes may add, on this machine."""
    half_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 // MIB
    return min(LIMITS.worker_memory_mib, max(_LEAST_MEMORY_MIB, half_mib // processes))


def prepare_process(allowed_mib: int) -> None:
    """Bound this process, let it yield to others, and let it not outlive the service."""
    guard(allowed_mib)
    os.nice(_NICENESS)
    with suppress(OSError):  # where no process may say so, as in some containers
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
