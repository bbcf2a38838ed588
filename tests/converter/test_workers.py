"""Workers that die, and runs that are killed, cost no other picture."""

from __future__ import annotations

import faulthandler
import hashlib
import os
import signal
import subprocess
import time
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from converter.batch import convert
from converter.dicom import part10
from converter.errors import ConversionError
from converter.limits import LIMITS
from converter.results import Failure, Picture
from converter.target import Target
from converter.workers import Workers
from tests.converter.building import ct
from tests.converter.running import COMMAND, pngs, run, write

# --- workers


def killing(monkeypatch: pytest.MonkeyPatch, how: Any) -> None:
    """Have the decoder of a file whose instance number is 3 do something bad; workers inherit it by fork."""
    original = part10.read

    def read(source: Any, name: str) -> Any:
        if Path(name).name == "3.dcm":
            how()
        return original(source, name)

    monkeypatch.setattr("converter.conversion.part10.read", read)


def crash() -> None:
    faulthandler.disable()  # the worker's own last words would only confuse
    os.kill(os.getpid(), signal.SIGSEGV)


def spin() -> None:
    while True:
        pass


def spin_in_c() -> None:
    hashlib.pbkdf2_hmac("sha256", b"", b"", 1 << 30)  # no Python signal handler runs within


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (crash, "killed the process"),
        (lambda: os._exit(1), "killed the process"),
        (spin, "took longer than 1 s"),
        (spin_in_c, "killed the process"),
        (lambda: bytearray(1 << 40), "needs more than the"),
    ],
    ids=["crash", "exit", "endless loop", "endless loop in C", "memory"],
)
def test_a_file_that_kills_its_worker_costs_only_itself(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Any, reason: str
) -> None:
    monkeypatch.setattr("converter.dispatch.LIMITS", type(LIMITS)(file_seconds=1.0))
    killing(monkeypatch, how)
    with Workers(2) as pool:
        results = list(convert([folder], Target(tmp_path / "out"), executor=pool, workers=2))
    assert len(pngs(tmp_path / "out")) == 5
    failures = {Path(result.source).name: result.reason for result in results if isinstance(result, Failure)}
    assert set(failures) == {"3.dcm", "broken.dcm"}
    assert reason in failures["3.dcm"]
    assert not list(tmp_path.rglob("*.part"))


def test_what_a_worker_had_written_before_it_died_is_told_as_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(40):
        write(tmp_path / "in" / f"{number}.dcm", ct(number))
    target = Target(tmp_path / "out")
    (before,) = convert([tmp_path / "in" / "1.dcm"], target)
    killing(monkeypatch, crash)
    with Workers(1) as pool:  # batches of ten: 0, 1, 10 to 17; 18, 19, 2, 20 to 26; 27, 28, 29, 3 ...
        results = list(convert([tmp_path / "in"], target, executor=pool))
    told = {Path(result.source).name: type(result).__name__ for result in results}
    assert len(told) == len(results) == 40
    assert {name for name, kind in told.items() if kind == "Failure"} == {"3.dcm"}
    assert {name for name, kind in told.items() if kind == "Skipped"} == {"1.dcm"}
    assert isinstance(before, Picture)
    assert len(pngs(tmp_path / "out")) == 39


def test_workers_make_what_one_process_makes(folder: Path, tmp_path: Path) -> None:
    def made(results: Any) -> dict[str, bytes]:
        return {found.path.name: found.path.read_bytes() for found in results if isinstance(found, Picture)}

    alone = made(convert([folder], Target(tmp_path / "a")))
    with Workers(2) as pool:
        assert made(convert([folder], Target(tmp_path / "b"), executor=pool, workers=2)) == alone
    assert len(alone) == 6


def test_a_large_object_is_shared_among_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converter.dispatch._SHARED_BYTES", 100)
    path = write(tmp_path / "a.dcm", ct(1, frames=7))
    with Workers(2) as pool:
        found = list(convert([path], Target(tmp_path / "out"), executor=pool, workers=3))
    assert sorted(result.frame or 0 for result in found if isinstance(result, Picture)) == [1, 2, 3, 4, 5, 6, 7]
    assert len(pngs(tmp_path / "out")) == 7


def test_a_run_that_is_killed_leaves_no_half_picture(tmp_path: Path) -> None:
    from PIL import Image

    place = tmp_path / "in"
    place.mkdir()
    for number in range(300):
        (place / f"{number}.dcm").write_bytes(ct(number))
    process = subprocess.Popen(
        [*COMMAND, str(place), "-o", str(tmp_path / "out"), "--workers", "1"], start_new_session=True
    )
    while process.poll() is None and len(pngs(tmp_path / "out")) < 20:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for path in pngs(tmp_path / "out"):
        Image.open(path).load()
    assert not list((tmp_path / "out").rglob("*.part"))
    assert run(place, "-o", tmp_path / "out").exit_code == 0
    assert len(pngs(tmp_path / "out")) == 300


class Lost(Executor):
    """An executor whose cluster is gone: what it was given is cancelled, as Dask's does when its scheduler dies."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        future: Future[Any] = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future


def test_an_executor_that_is_gone_ends_the_run_and_blames_no_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"was lost before .*run it again, and it goes on"):
        list(convert([folder], Target(tmp_path / "out"), executor=Lost(), workers=2))
