"""Memory does not grow with the number of frames, native or encapsulated."""

from __future__ import annotations

import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydicom.encaps import encapsulate

from tests.converter.building import file, image

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 512


def written(path: Path, frames: int, *, compressed: bool) -> Path:
    """An object of so many frames, each of half a MiB once it is decoded."""
    pixels = np.random.default_rng(3).integers(0, 4096, (SIDE, SIDE)).astype("<u2").tobytes()
    shape = {"rows": SIDE, "columns": SIDE, "NumberOfFrames": frames, "WindowCenter": "2000", "WindowWidth": "4000"}
    if not compressed:
        path.write_bytes(file(image(pixels * frames, **shape)))
        return path
    packer = zlib.compressobj(1, wbits=-15)
    stream = packer.compress(pixels) + packer.flush()
    content = file(image(encapsulate([stream + b"\0" * (len(stream) % 2)] * frames), **shape), "1.2.840.10008.1.2.4.90")
    path.write_bytes(content.replace(b"1.2.840.10008.1.2.4.90", b"1.2.840.10008.1.2.8.1\0"))
    return path


# VmHWM and not ru_maxrss, which a process inherits from the one that started it.
PROGRAM = """
import sys
from cli.convert import convert
convert([*sys.argv[1:], "--workers", "0"], standalone_mode=False)
"""
PEAK = """
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


def peak_mib(path: Path, out: Path, *options: str) -> float:
    """Peak memory of converting a file in one process."""
    program = f"try:\n    exec({PROGRAM!r})\nexcept SystemExit as end:\n    assert not end.code\n{PEAK}"
    command = [sys.executable, "-c", program, str(path), "-o", str(out), *options]
    found = subprocess.run(command, check=True, capture_output=True)
    return int(found.stdout.split()[-1]) / 1024


@pytest.mark.parametrize("compressed", [False, True])
def test_many_frames_take_no_more_memory_than_few(compressed: bool, tmp_path: Path) -> None:
    few = peak_mib(written(tmp_path / "few.dcm", 20, compressed=compressed), tmp_path / "a")
    many = peak_mib(written(tmp_path / "many.dcm", 150, compressed=compressed), tmp_path / "b")
    assert len(list((tmp_path / "b").rglob("*.png"))) == 150
    assert many < 1.3 * few
    assert many < 200


@pytest.mark.parametrize("kind", ["apng", "webp"])
def test_a_long_cine_takes_no_more_memory_than_a_short_one(kind: str, tmp_path: Path) -> None:
    short = peak_mib(written(tmp_path / "few.dcm", 10, compressed=True), tmp_path / "a", "--cine", kind)
    long = peak_mib(written(tmp_path / "many.dcm", 150, compressed=True), tmp_path / "b", "--cine", kind)
    assert long < 1.3 * short
