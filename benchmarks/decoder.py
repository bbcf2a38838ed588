"""The JPEG 2000 decoder alone against the whole converter, in turn over the same files.

Run as `python decoder.py FOLDER FILE...`; prints CPU seconds for one more picture of each.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path
from statistics import median

import pydicom
from imagecodecs import jpeg2k_decode
from pydicom.encaps import generate_frames

from converter.batch import convert
from converter.target import Target

ROUNDS = 5


def main(folder: Path, files: list[str]) -> None:
    """Take turns and print the medians."""
    streams = [next(generate_frames(pydicom.dcmread(file).PixelData, number_of_frames=1)) for file in files]
    spent: dict[str, list[float]] = {"alone": [], "gurney": []}
    for _ in range(ROUNDS):
        shutil.rmtree(folder, ignore_errors=True)
        began = time.process_time()
        for stream in streams:
            jpeg2k_decode(stream, numthreads=1)
        decoded = time.process_time()
        for _ in convert(files, Target(folder)):
            pass
        spent["alone"].append((decoded - began) / len(files))
        spent["gurney"].append((time.process_time() - decoded) / len(files))
    print(json.dumps({f"decoder/{name}": median(times) for name, times in spent.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
