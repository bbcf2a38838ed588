"""The bounds of drawing: how much memory, time and how many files the pictures of one instance may take."""

from __future__ import annotations

import io
import multiprocessing
import os
import resource
import signal
import threading
import time
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from appliance.index.models import DONE, FAILED, PENDING, Instance
from appliance.pictures import drawing
from appliance.pictures.drawing import draw
from appliance.pictures.drawn import Drawing
from appliance.pictures.processes import Processes, memory_mib
from appliance.pictures.rendering import Rendering
from appliance.pictures.renditions import clear_halves
from converter import clock
from converter.limits import LIMITS, MIB, Limits
from tests.appliance.deadly import StillProcesses
from tests.appliance.hospital import ct
from tests.appliance.scanner import written
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pydicom.dataset import FileDataset

    from appliance.keeping.archive import Archive


def keep(archive: Archive, dataset: FileDataset) -> None:
    target = io.BytesIO()
    dataset.save_as(target)
    with archive.arriving() as arriving:
        arriving.write(target.getvalue())
        archive.file([arriving.finish()], issuer="erode", source="CT1")


def of_size(rows: int, columns: int, frames: int = 1) -> FileDataset:
    (dataset,) = ct(count=1)
    dataset.Rows, dataset.Columns, dataset.NumberOfFrames = rows, columns, frames
    dataset.PixelData = bytes(2 * rows * columns * frames)
    return dataset


def drawn(archive: Archive, processes: Callable[[], Processes] = lambda: Processes(1)) -> list[tuple[str, str]]:
    """Draw all that is pending, and tell what came of each."""
    rendering = Rendering(archive, processes)
    rendering.start()
    try:
        until(lambda: PENDING not in dict(states(archive)))
    finally:
        rendering.stop()
    return states(archive)


def states(archive: Archive) -> list[tuple[str, str]]:
    with archive.index.session() as session:
        rows = session.execute(select(Instance.state, Instance.reason).order_by(Instance.id))
        return [(state, reason) for state, reason in rows]


def uids(archive: Archive) -> list[str]:
    with archive.index.session() as session:
        return list(session.scalars(select(Instance.sop_instance_uid).order_by(Instance.id)))


def marks() -> tuple[str, int]:
    return Path("/proc/self/oom_score_adj").read_text().strip(), resource.getrlimit(resource.RLIMIT_DATA)[0]


@pytest.mark.parametrize(("machine_mib", "processes", "each_mib"), [(512, 2, 256), (4096, 2, 1024), (65536, 4, 4096)])
def test_all_that_draw_share_half_of_the_machines_memory(
    monkeypatch: pytest.MonkeyPatch, machine_mib: int, processes: int, each_mib: int
) -> None:
    pages = {"SC_PHYS_PAGES": machine_mib * MIB // 4096, "SC_PAGE_SIZE": 4096}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    assert memory_mib(processes) == each_mib


def test_a_process_that_draws_is_bounded_and_the_first_that_the_kernel_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.pictures.processes.memory_mib", lambda _count: 256)
    pool = Processes(1)
    score, bound = pool.submit(marks).result()
    pool.shutdown()
    assert score == "1000"
    assert 256 * MIB < bound < LIMITS.worker_memory_mib * MIB


def test_a_picture_too_large_for_the_machine_is_told_and_costs_the_others_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.pictures.processes.memory_mib", lambda _count: 64)
    keep(archive, of_size(4000, 4000))
    keep(archive, of_size(64, 64))
    too_large = (FAILED, "given up: it is too large for the memory of this machine")
    assert drawn(archive) == [too_large, (DONE, "")]


def test_what_is_pending_is_looked_through_a_few_at_a_time(archive: Archive) -> None:
    """A hundred thousand took 381 MiB in the service."""
    keep(archive, of_size(8, 8))
    with archive.index.writing() as session:
        first = session.get_one(Instance, 1)
        alike = {column.key: getattr(first, column.key) for column in Instance.__table__.columns}
        rows = ({**alike, "id": number, "sop_instance_uid": f"1.2.3.{number}"} for number in range(2, 20_000))
        session.execute(insert(Instance), list(rows))
    tracemalloc.start()
    clear_halves(archive)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * MIB


def in_a_process(source: Path, folder: Path, meanwhile: Callable[[int], None] | None = None) -> Drawing:
    """What comes of a file in a process of its own, which has what the test has changed here."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("fork")) as pool:
        number = pool.submit(os.getpid).result()
        made = pool.submit(draw, source, folder, "x")
        if meanwhile:
            meanwhile(number)
        return made.result()


def but_for(frame: int | None, deed: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have something else happen where a frame is drawn, or each of them."""
    right = drawing.pictures

    def pictures(instance: Any, folder: Path, stem: str, options: Any, numbers: Any) -> Iterator[Any]:
        if numbers and frame in (None, numbers[0]):
            deed()
        yield from right(instance, folder, stem, options, numbers)

    monkeypatch.setattr(drawing, "pictures", pictures)


def spin() -> None:
    while True:
        pass


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "LIMITS", Limits(file_seconds=1.0))


@pytest.mark.usefixtures("quick")
def test_a_disk_that_stands_still_is_not_held_against_the_file(tmp_path: Path) -> None:
    (source,) = written(tmp_path / "in", of_size(256, 256, frames=400))
    folder = tmp_path / "out"

    def stop_for_a_while(number: int) -> None:
        until(lambda: len(list(folder.glob("*.png"))) > 4)
        os.kill(number, signal.SIGSTOP)
        over = time.monotonic() + 1.5
        until(lambda: time.monotonic() > over)
        os.kill(number, signal.SIGCONT)

    made = in_a_process(source, folder, stop_for_a_while)
    assert (len(made.pictures), made.reason) == (400, "")


@pytest.mark.usefixtures("quick")
def test_a_frame_that_takes_too_long_costs_no_other_its_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = written(tmp_path / "in", of_size(64, 64, frames=4))
    but_for(2, spin, monkeypatch)
    made = in_a_process(source, tmp_path / "out")
    assert [picture.frame for picture in made.pictures] == [1, 3, 4]
    assert made.reason == "frame 2: it took longer than 1 s of processor time"


@pytest.mark.usefixtures("quick")
def test_the_third_frame_that_takes_too_long_is_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = written(tmp_path / "in", of_size(64, 64, frames=1000))
    but_for(None, spin, monkeypatch)
    made = in_a_process(source, tmp_path / "out")
    assert made == Drawing(reason="given up after 2 of its frames: it took longer than 1 s of processor time")


def test_what_was_drawn_of_an_instance_stays_where_it_takes_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = written(tmp_path / "in", of_size(64, 64, frames=4))
    monkeypatch.setattr(drawing, "MOST_SECONDS", 0)
    made = in_a_process(source, tmp_path / "out")
    assert [picture.frame for picture in made.pictures] == [1]
    assert made.reason == "given up after 1 of its frames: it took longer than 0 minutes of processor time"


@pytest.mark.usefixtures("quick")
def test_where_nothing_happens_for_long_what_is_drawn_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = written(tmp_path / "in", of_size(64, 64, frames=4))
    monkeypatch.setattr(clock, "PATIENCE", 1.5)
    but_for(2, threading.Event().wait, monkeypatch)
    made = in_a_process(source, tmp_path / "out")
    assert [picture.frame for picture in made.pictures] == [1]
    assert made.reason == "given up after 1 of its frames: nothing happened for 1.5 s"
    assert made.stood_still


def test_what_stands_still_is_drawn_again_and_given_up_the_third_time(archive: Archive) -> None:
    keep(archive, of_size(64, 64))
    keep(archive, of_size(64, 64))
    often, once = (archive.path_of(uid) for uid in uids(archive))
    begun: list[str] = []
    assert drawn(archive, lambda: StillProcesses({often: 9, once: 1}, begun)) == [(FAILED, "still"), (DONE, "")]
    assert (begun.count(often.name), begun.count(once.name)) == (3, 2)


def test_a_hundred_thousand_frames_end_in_words(archive: Archive) -> None:
    dataset = of_size(1, 1)
    dataset.NumberOfFrames, dataset.PixelData = 100_000, bytes(200_000)
    keep(archive, dataset)
    reason = "(0028,0008): it has 100,000 frames; an appliance draws pictures of 20,000 at most"
    assert drawn(archive) == [(FAILED, reason)]
    assert list(archive.shared.rglob("*.png")) == []


def test_pictures_leave_files_to_what_is_received(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source,) = written(tmp_path / "in", of_size(64, 64))
    disk = os.statvfs(tmp_path)
    few = os.statvfs_result((*disk[:5], 800, 90, 90, *disk[8:10]))
    monkeypatch.setattr(os, "statvfs", lambda _path: few)
    with pytest.raises(OSError, match="images that arrive"):
        in_a_process(source, tmp_path / "out")
