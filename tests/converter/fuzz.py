"""Convert files that are made wrong, as `gurney convert` does, and tell what should not have happened.

`python tests/converter/fuzz.py` does 20,000, and applies as many wrong presentation states to a right image; `--seed`
and `--count` repeat any of them. Ends with 1 where a file met an error nobody foresaw, killed its worker, took longer
than it may, cost more memory than a worker may take, left half a picture, or wrote beside its folder.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

from converter.batch import convert
from converter.options import Options
from converter.results import Failure, Picture, Result
from converter.target import Target
from converter.workers import Workers
from tests.converter.mutated_states import state_faults
from tests.converter.mutation import corpus, write_mutated

ROUND = 500
# What a worker has at the start, the largest frame that a mutation of the small corpus may claim, and its tables.
PEAK_MIB = 1024
UNEXPECTED = ("unexpected", "it killed the process", "it took longer", "it needs more than")


def faults(folder: Path, seeds: range, files: list[bytes] | None = None) -> tuple[list[str], Counter[str]]:
    """What should not have happened with these seeds, and how many results of each kind there were."""
    source, target = folder / "in", folder / "out"
    write_mutated(source, seeds, files)
    with Workers(2) as pool:
        options = Options(overlays=True, replace=True)
        results = list(convert([source], Target(target, "{sop_instance_uid}/" + "{uid}"), options, pool, 2))
    found = [f"{result.source}: {result.reason}" for result in results if isinstance(result, Failure) and _bad(result)]
    told = {Path(result.source).stem for result in results}
    found += [f"{seed}: nothing was said of it" for seed in seeds if str(seed) not in told]
    found += _wrong_files(folder, results)
    return found, Counter(type(result).__name__ for result in results)


def _bad(result: Failure) -> bool:
    return result.reason.startswith(UNEXPECTED)


def _wrong_files(folder: Path, results: list[Result]) -> list[str]:
    from PIL import Image

    found = [f"{path} lies outside" for path in folder.iterdir() if path.name not in ("in", "out")]
    there = {path for path in (folder / "out").rglob("*") if path.is_file()}
    found += [f"{path} is no result" for path in there if path.suffix not in (".png", ".html", ".pdf")]
    for result in results:
        if isinstance(result, Picture):
            try:
                with Image.open(result.path) as picture:
                    picture.load()
            except Exception as error:  # noqa: BLE001 - whatever it is, the picture is wrong
                found.append(f"{result.source}: {result.path} cannot be opened ({error})")
    return found


def main() -> int:
    """Do all rounds and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    asked = parser.parse_args()
    total: Counter[str] = Counter()
    wrong: list[str] = []
    files = corpus()
    for start in range(asked.seed, asked.seed + asked.count, ROUND):
        seeds = range(start, min(start + ROUND, asked.seed + asked.count))
        with tempfile.TemporaryDirectory(prefix="gurney-fuzz-") as folder:
            found, kinds = faults(Path(folder), seeds, files)
            found += state_faults(Path(folder), seeds)
        total += kinds
        wrong += found
        for line in found:
            print(line, flush=True)
        print(f"{seeds.stop - asked.seed} files: {dict(total)}", file=sys.stderr, flush=True)
    peak_mib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{len(wrong)} faults in {asked.count} files; a worker took {peak_mib:.0f} MiB at most")
    return 1 if wrong or peak_mib > PEAK_MIB else 0


if __name__ == "__main__":
    sys.exit(main())
