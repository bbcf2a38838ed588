"""Peak memory of the converter over one file. Run as `python peak.py NAME FILE FOLDER`; prints MiB.

VmHWM is of this process alone; the peak that its parent is told of includes what the parent had before it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from converter.batch import convert
from converter.target import Target


def main(name: str, file: str, folder: str) -> None:
    """Convert the file and print the peak."""
    pictures = sum(1 for _ in convert([file], Target(Path(folder))))
    assert pictures > 1
    status = Path("/proc/self/status").read_text().splitlines()
    peak_kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print(json.dumps({f"memory/{name}": peak_kib / 1024}))


if __name__ == "__main__":
    main(*sys.argv[1:])
