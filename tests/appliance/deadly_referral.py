"""Run the real command, in which one patient's parcels end the process, as a crash of a library in C would.

`deadly_referral.py PATIENT_ID python -m cli appliance run ...`
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import appliance.referral.unpacking as unpacking


def main() -> None:
    deadly, right = sys.argv[1], unpacking.open_parcel

    def open_or_die(exchange: Any, manifest: Any, *others: Any) -> Any:
        if manifest.patient.patient_id == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return right(exchange, manifest, *others)

    unpacking.open_parcel = open_or_die
    sys.argv = ["gurney", *sys.argv[sys.argv.index("cli") + 1 :]]

    from cli.main import run

    run()


if __name__ == "__main__":
    main()
