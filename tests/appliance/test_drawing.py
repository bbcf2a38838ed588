"""The bounds of drawing: how much memory, time and how many files the pictures of one instance may take."""

from __future__ import annotations

import io
import os
import resource
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, select

from appliance.index.models import DONE, FAILED, PENDING, Instance
from appliance.keeping.archive import Archive, open_archive
from appliance.pictures.drawing import memory_mib
from appliance.pictures.rendering import Processes, Rendering
from appliance.pictures.renditions import clear_halves
from converter.limits import LIMITS, MIB
from tests.appliance.hospital import ct
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import FileDataset


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = open_archive(tmp_path)
    yield opened
    opened.close()


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


def drawn(archive: Archive) -> list[tuple[str, str]]:
    """Draw all that is pending, and tell what came of each."""
    rendering = Rendering(archive, lambda: Processes(1))
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
    monkeypatch.setattr("appliance.pictures.rendering.memory_mib", lambda _count: 256)
    pool = Processes(1)
    score, bound = pool.submit(marks).result()
    pool.shutdown()
    assert score == "1000"
    assert 256 * MIB < bound < LIMITS.worker_memory_mib * MIB


def test_a_picture_too_large_for_the_machine_is_told_and_costs_the_others_nothing(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.pictures.rendering.memory_mib", lambda _count: 64)
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
