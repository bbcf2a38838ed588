"""What systemd does for one unit, in a folder that stands for a machine: `systemctl start|stop|show gurney.service`.

Restart=always, RestartSec=1 and NRestarts are as in systemd.service(5). `ROOT/unit` holds the command line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]
PID, RESTARTS, LOG = ROOT / "run/unit.pid", ROOT / "run/unit.restarts", ROOT / "run/unit.log"
STOP_S, TIMEOUT_STOP_S = 120, 5


def start() -> None:
    if not runs():
        supervisor = subprocess.Popen(
            [sys.executable, __file__, "supervise"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        PID.write_text(str(supervisor.pid))
        RESTARTS.write_text("0")


def stop() -> None:
    if pid := runs():
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + STOP_S
        while runs():
            if time.monotonic() > end:
                sys.exit(f"process {pid} still runs after {STOP_S} s")
            time.sleep(0.05)
    with suppress(OSError):
        PID.unlink()


def runs() -> int:
    with suppress(OSError, ValueError):
        pid = int(PID.read_text())
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            return pid
    return 0


def show() -> None:
    print(RESTARTS.read_text() if RESTARTS.exists() else "0")


def supervise() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    command, number = json.loads((ROOT / "unit").read_text()), 0
    while True:
        process = begun(command)
        try:
            listen()
            process.wait()
        finally:
            process.terminate()
            end(process)
        number += 1
        RESTARTS.write_text(str(number))
        time.sleep(1)


def begun(command: list[str]) -> subprocess.Popen[bytes]:
    """The service, begun while nothing ends us: what came in between would leave it behind. `listen` is next."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    with LOG.open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=listen)


def listen() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def end(process: subprocess.Popen[bytes]) -> None:
    """TimeoutStopSec, and then SIGKILL."""
    try:
        process.wait(TIMEOUT_STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


{"start": start, "stop": stop, "show": show, "supervise": supervise}[sys.argv[1]]()
