"""Stands in for qemu where a guest takes its time: it answers on the control socket, and boots nothing.

`BUTTON_S` in its environment: how long the guest takes to shut down once its button is pressed; `never` if it does not.
`LATE_S`: how long it lies still before it takes the button, as on a host that is busy.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

MARK = "shut-down"


def main() -> None:
    """Answer until the button is pressed."""
    if "-monitor" in sys.argv:  # the question whether KVM works
        sys.exit(1)
    place = control()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        server.listen()
        while True:
            with server.accept()[0] as connection, connection.makefile("rw") as lines:
                print(json.dumps({"QMP": {}}), file=lines, flush=True)
                for line in lines:
                    answer(json.loads(line)["execute"])
                    print(json.dumps({"return": {"status": "running"}}), file=lines, flush=True)


def control() -> Path:
    """The control socket that it was told."""
    return Path(sys.argv[sys.argv.index("-qmp") + 1].removeprefix("unix:").partition(",server")[0])


def answer(order: str) -> None:
    """Shut down in time."""
    if order == "system_powerdown":
        time.sleep(float(os.environ.get("LATE_S", "0")))
    if order == "system_powerdown" and os.environ["BUTTON_S"] != "never":
        threading.Timer(float(os.environ["BUTTON_S"]), shut_down).start()


def shut_down() -> None:
    """What a guest does last; nothing that has lost its power does."""
    control().with_name(MARK).touch()
    os._exit(0)


if __name__ == "__main__":
    main()
