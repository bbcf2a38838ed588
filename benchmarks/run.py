"""What Gurney costs, side by side with others, in one run: `python benchmarks/run.py`, or `make bench`.

CPU milliseconds a frame with start-up, medians of five, on sets made from images that pydicom ships; then a table of
ratios against the targets. The appliance's image and its boot are among them, and take minutes more; `--only` leaves
them out. Ends with 1 where a target is missed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import extras, peers
from benchmarks.targets import TARGETS, Finding, table


def main() -> int:
    """Measure everything and print it."""
    asked = _asked()
    folder = Path(asked.keep or tempfile.mkdtemp(prefix="gurney-bench-"))
    figures: dict[str, float] = {}
    try:
        for name in asked.only or [*peers.SCALES, *extras.EXTRAS]:
            print(f"{name} ...", file=sys.stderr, flush=True)
            measure = extras.EXTRAS.get(name) or peers.side_by_side(name)
            figures |= measure(folder, asked.repeat, asked.quick)
    finally:
        if not asked.keep:
            shutil.rmtree(folder, ignore_errors=True)
    findings = [Finding(target, target.value(figures)) for target in TARGETS if target.measured(figures)]
    print(json.dumps(figures, indent=2) if asked.json else peers.table(figures) + "\n\n" + table(findings))
    return 0 if all(finding.holds for finding in findings) else 1


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", metavar="SET", help="one set or extra; may be given again")
    parser.add_argument("--repeat", type=int, default=5, help="runs whose median counts")
    parser.add_argument("--quick", action="store_true", help="a fifth of the files")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the sets there for the next run")
    parser.add_argument("--json", action="store_true", help="print the figures only")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
