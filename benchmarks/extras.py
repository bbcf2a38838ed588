"""What is no time a frame of a whole run: marginal cost, start-up, workers, memory, sizes, calls, a machine."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.boot import boot
from benchmarks.building import image
from benchmarks.measuring import PYTHON, medians, run
from benchmarks.one_modules import one_modules
from benchmarks.peers import HERE, Figures, gurney
from benchmarks.provisioning import provisioning
from benchmarks.sets import make

if TYPE_CHECKING:
    from collections.abc import Callable


def marginal(folder: Path, repeat: int, quick: bool) -> Figures:
    """CPU seconds that one more CT costs, and the floor's."""
    files = make(folder / "sets", "CT", 20 if quick else 100)
    found = [_printed("floor.py", str(folder / "floor"), *map(str, files)) for _ in range(repeat)]
    return {name: median(figures[name] for figures in found) for name in found[0]}


def _printed(program: str, *arguments: str) -> Figures:
    """What a program of this folder prints."""
    answer = subprocess.run([PYTHON, str(HERE / program), *arguments], check=True, capture_output=True, text=True)
    return dict(json.loads(answer.stdout))


def decoder(folder: Path, repeat: int, quick: bool) -> Figures:
    """CPU seconds that one more JPEG 2000 slice costs, and the decoder's alone."""
    files = make(folder / "sets", "JPEG 2000", 10 if quick else 40)
    found = [_printed("decoder.py", str(folder / "out"), *map(str, files)) for _ in range(repeat)]
    return {name: median(figures[name] for figures in found) for name in found[0]}


def startup(folder: Path, repeat: int, _quick: bool) -> Figures:
    """Seconds of CPU for one small file and for --help, and those of the imports they are held against."""
    from pydicom.data import get_testdata_file

    small = Path(str(get_testdata_file("MR_small.dcm")))
    program = str(Path(PYTHON).with_name("gurney"))
    return {
        "startup/file": medians(lambda: gurney([small], folder / "out"), 2 * repeat).cpu_s,
        "startup/imports": medians(lambda: run([PYTHON, "-c", "import numpy, pydicom"]), 2 * repeat).cpu_s,
        "startup/help": medians(lambda: run([program, "--help"]), 4 * repeat).cpu_s,
        "startup/click": medians(lambda: run([PYTHON, "-c", "import click"]), 4 * repeat).cpu_s,
    }


WORKER_SETS = {
    "JPEG 2000": 40,
    "CT": 500,
    "CR": 24,
    "MR": 400,
    "US": 120,
    "JPEG-LS": 100,
    "JPEG lossless": 300,
}


def workers(folder: Path, repeat: int, quick: bool) -> Figures:
    """Wall seconds of the same work with one worker and with two, start-up and all, in turn.

    They mean something on a machine that does nothing else; where it does, run the benchmark by `chrt --fifo 1`. Each
    set is half a second of work and more beside the quarter second of start-up: less is too little to be shared.
    """
    figures = {}
    for name, count in WORKER_SETS.items():
        files = make(folder / "sets", name, count // 5 if quick and name == "CT" else count)
        spent: dict[str, list[float]] = {"1": [], "2": []}
        for _ in range(repeat):
            for number, seconds in spent.items():
                seconds.append(gurney(files, folder / "out", "--workers", number).wall_s)
        figures |= {f"workers/{name}/{number}": median(seconds) for number, seconds in spent.items()}
    return figures


def memory(folder: Path, _repeat: int, quick: bool) -> Figures:
    """Peak MiB for an object of 76 frames and for one of 2,000 (400 when quick), made in one process."""
    figures = {}
    for count in (76, 400 if quick else 2000):
        (file,) = make(folder / "sets", "MR", count)
        shutil.rmtree(folder / "out", ignore_errors=True)
        figures |= _printed("peak.py", "few" if count == 76 else "many", str(file), str(folder / "out"))
    return figures


def sizes(folder: Path, repeat: int, _quick: bool) -> Figures:
    """Bytes and seconds of our PNG, of `--small`, and of Pillow level 6, a frame of each set."""
    import time

    import numpy as np
    from PIL import Image

    import converter
    from converter.options import Options

    def timed(make_png: Callable[[], bytes]) -> tuple[float, int]:
        spent, content = [], b""
        for _ in range(2 * repeat):
            began = time.process_time()
            content = make_png()
            spent.append(time.process_time() - began)
        return median(spent), len(content)

    figures: Figures = {}
    for name, count in (("CT", 20), ("CR", 2), ("MR", 76), ("US", 120)):
        frame = converter.open(make(folder / "sets", name, count)[0]).frame(1)
        pixels = np.ascontiguousarray(converter.render(frame).pixels)

        def pillow(pixels: np.ndarray = pixels) -> bytes:  # type: ignore[type-arg]  # of any kind
            out = io.BytesIO()
            Image.fromarray(pixels).save(out, "PNG", compress_level=6)
            return out.getvalue()

        rendering = converter.render(frame)
        makers = {
            "gurney": lambda: converter.encode(rendering, frame),  # noqa: B023 - called at once
            "small": lambda: converter.encode(rendering, frame, Options(small=True)),  # noqa: B023 - called at once
            "pillow": pillow,
        }
        for program, make_png in makers.items():
            seconds, size = timed(make_png)
            figures |= {f"size/{name}/{program}": size, f"size/{name}/{program}/s": seconds}
    return figures


EXTRAS: dict[str, Callable[[Path, int, bool], Figures]] = {
    "marginal": marginal,
    "decoder": decoder,
    "startup": startup,
    "workers": workers,
    "memory": memory,
    "sizes": sizes,
    "provisioning": provisioning,
    "one_modules": one_modules,
    "image": image,
    "boot": boot,
}
