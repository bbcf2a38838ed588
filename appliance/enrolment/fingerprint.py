"""`python -m appliance.enrolment.fingerprint FOLDER`: what an admin compares before taking a branch's changed keys.

A VM shows it on its console, which a guest cannot write for another.
"""

from __future__ import annotations

import sys
from pathlib import Path

from exchange.keys import load_keys


def main(folder: Path) -> None:
    """Print the fingerprint of the branch's keys."""
    print(f"gurney: keys of this branch {load_keys(folder).public.fingerprint}", flush=True)  # noqa: T201 - for the console


if __name__ == "__main__":
    main(Path(sys.argv[1]))
