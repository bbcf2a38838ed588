"""Gurney, dcmj2pnm, the pydicom+Pillow script, Orthanc and the floor over the same set."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import orthanc
from benchmarks.measuring import PYTHON, Cost, each, medians, run
from benchmarks.sets import make

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).parent
Figures = dict[str, float]


@dataclass(frozen=True)
class Scale:
    """How much of a set is measured.

    Attributes
    ----------
    count : int
        Files, or frames of the one file.
    peer_count : int
        Files for peers that cost the same for each, such as a program started for each file.
    gray : bool
        Whether DCMTK has a window to apply.
    dcmtk, script, orthanc : bool
        Which peers can read it.
    """

    count: int
    peer_count: int
    multi_frame: bool = False
    gray: bool = True
    dcmtk: bool = True
    script: bool = True
    orthanc: bool = True


SCALES = {
    "CT": Scale(500, 50),
    "CR": Scale(10, 3),
    "MR": Scale(76, 76, multi_frame=True),
    "US": Scale(120, 120, multi_frame=True, gray=False),
    "JPEG-LS": Scale(100, 20),
    "JPEG lossless": Scale(100, 20, script=False),
    "JPEG 2000": Scale(40, 10, dcmtk=False, orthanc=False),  # neither decodes it without further plugins
}


def gurney(files: list[Path], out: Path, *options: str) -> Cost:
    """One run of the command over a folder, its pictures removed before."""
    shutil.rmtree(out, ignore_errors=True)
    source = str(files[0]) if len(files) == 1 else str(files[0].parent)
    return run([str(Path(PYTHON).with_name("gurney")), "convert", source, "-o", str(out), *options])


def side_by_side(name: str) -> Callable[[Path, int, bool], Figures]:
    """What measures a set."""
    return partial(_side_by_side, name)


def _side_by_side(name: str, folder: Path, repeat: int, quick: bool) -> Figures:
    scale = SCALES[name]
    count = scale.count // 5 if quick and not scale.multi_frame else scale.count
    files = make(folder / "sets", name, count)
    few = files[: scale.peer_count]
    frames = scale.count if scale.multi_frame else 1
    out = folder / "out"
    figures = {f"{name}/gurney": medians(lambda: gurney(files, out), repeat).cpu_s / (len(files) * frames)}
    if scale.dcmtk and shutil.which("dcmj2pnm"):
        cost = medians(lambda: each([_dcmj2pnm(file, out, frames, scale) for file in few]), repeat)
        figures[f"{name}/dcmj2pnm"] = cost.cpu_s / (len(few) * frames)
    if scale.script:
        command = [PYTHON, str(HERE / "script.py"), str(out), *map(str, files)]
        figures[f"{name}/script"] = medians(lambda: run(command), min(repeat, 3)).cpu_s / (len(files) * frames)
    if scale.orthanc and orthanc.available():
        shutil.rmtree(folder / "orthanc", ignore_errors=True)
        cpu_s = orthanc.rendered_cpu_s(few, folder / "orthanc", frames)
        figures[f"{name}/orthanc"] = cpu_s / (len(few) * frames)
    return figures


def _dcmj2pnm(file: Path, out: Path, frames: int, scale: Scale) -> list[str]:
    out.mkdir(parents=True, exist_ok=True)
    program = "dcml2pnm" if "JPEG-LS" in str(file) else "dcmj2pnm"  # a program for each family of codecs
    return [
        program,
        "-O",
        "+on",
        *(["+Wi", "1"] if scale.gray else []),
        *(["+Fa"] if frames > 1 else []),
        str(file),
        str(out / file.stem),
    ]


def table(figures: Figures) -> str:
    """CPU milliseconds a frame, a row a set and a column a program."""
    programs = ("gurney", "dcmj2pnm", "script", "orthanc")
    lines = [f"{'CPU ms a frame':16}" + "".join(f"{program:>12}" for program in programs)]
    for name in SCALES:
        cells = [figures.get(f"{name}/{program}") for program in programs]
        if any(cells):
            lines.append(f"{name:16}" + "".join(f"{'-' if c is None else f'{c * 1000:.2f}':>12}" for c in cells))
    return "\n".join(lines)
