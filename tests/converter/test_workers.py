"""Workers that die, and runs that are killed, cost no other picture."""

from __future__ import annotations

import faulthandler
import hashlib
import mmap
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from converter.batch import convert
from converter.dicom import part10
from converter.errors import ConversionError
from converter.limits import LIMITS, Limits
from converter.options import FrameRanges, Options
from converter.results import Failure, Picture
from converter.target import Target
from converter.workers import Workers
from tests.converter.building import ct, file, image
from tests.converter.running import COMMAND, pngs, run, write
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

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
        (spin, "took longer than 3 s"),
        (spin_in_c, "killed the process"),
        (lambda: bytearray(1 << 40), "needs more than the"),
    ],
    ids=["crash", "exit", "endless loop", "endless loop in C", "memory"],
)
def test_a_file_that_kills_its_worker_costs_only_itself(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: Any, reason: str
) -> None:
    if how in {spin, spin_in_c}:  # the others need no limit, and innocent files share it
        monkeypatch.setattr("converter.dispatch.LIMITS", type(LIMITS)(file_seconds=3.0))
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


def large(path: Path, frames: int, **attributes: Any) -> Path:
    """An object of so many frames of half a MiB, all black: a hole in the file, which takes no room."""
    content = file(image(b"", 512, 512, NumberOfFrames=frames, WindowCenter="1", WindowWidth="2", **attributes))
    head = content[: content.index(b"\xe0\x7f\x10\x00")] + b"\xe0\x7f\x10\x00OW\0\0"
    path.write_bytes(head + min(frames << 19, 0xFFFFFFFE).to_bytes(4, "little"))
    os.truncate(path, path.stat().st_size + (frames << 19))
    return path


def is_running(process: str) -> bool:
    """Whether a process is there, and not only its exit status that nobody has asked for."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(what: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not (so := what()) and time.monotonic() < end:
        time.sleep(0.02)
    return so


#: With `nohup` around the tests SIGHUP would be ignored.
ON_A_TERMINAL = ["env", "--default-signal=HUP", sys.executable, "-m", "cli"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_workers_end_with_the_command_however_it_is_ended(number: signal.Signals, tmp_path: Path) -> None:
    path = large(tmp_path / "a.dcm", 8000)
    command = [*ON_A_TERMINAL, "convert", str(path), "-o", str(tmp_path / "out"), "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    assert eventually(lambda: len(pngs(tmp_path / "out")) > 4)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len([worker for worker in workers if is_running(worker)]) == 2
    process.send_signal(number)
    assert process.wait(60) == (-9 if number == signal.SIGKILL else 130)
    ended = eventually(lambda: not any(map(is_running, workers)))
    for worker in filter(is_running, workers):
        os.kill(int(worker), signal.SIGKILL)
    assert ended
    assert len(pngs(tmp_path / "out")) < 8000
    assert not list((tmp_path / "out").rglob(".*"))


def test_a_file_may_be_larger_than_a_workers_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converter.workers.LIMITS", Limits(worker_memory_mib=128))
    paths = [large(tmp_path / f"{number}.dcm", 600, SOPInstanceUID=f"1.2.{number}") for number in range(2)]
    assert paths[0].stat().st_size > 2 * (128 << 20)
    options = Options(frames=FrameRanges(((1, 1), (300, 300), (600, 600))))
    with Workers(2) as pool:
        results = list(convert(paths, Target(tmp_path / "out"), options, executor=pool, workers=2))
    assert [type(result).__name__ for result in results] == ["Picture"] * 6


def test_a_bomb_is_bounded_by_a_workers_memory(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("converter.workers.LIMITS", Limits(worker_memory_mib=128))
    for how in (
        lambda: bytearray(256 << 20),
        lambda: np.zeros(256 << 20, np.uint8),
        lambda: mmap.mmap(-1, 256 << 20, mmap.MAP_PRIVATE),
    ):
        killing(monkeypatch, how)
        with Workers(2) as pool:
            results = list(convert([folder], Target(tmp_path / "out"), Options(replace=True), pool, 2))
        failures = {Path(result.source).name: result.reason for result in results if isinstance(result, Failure)}
        assert "needs more than the" in failures["3.dcm"]


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
