"""Orthanc as a converter: its CPU time for pictures of instances that were uploaded before."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def available() -> str | None:
    """The program, or None where it is not installed."""
    return shutil.which("Orthanc")


def rendered_cpu_s(files: list[Path], folder: Path, frames: int) -> float:
    """CPU seconds that Orthanc needs for `/rendered` of each frame of each file, upload not counted."""
    with _server(folder) as (address, pid):
        ids = [json.loads(_sent(f"{address}/instances", file.read_bytes()))["ID"] for file in files]
        before = _cpu_s(pid)
        for instance in ids:
            for frame in range(frames):
                _sent(f"{address}/instances/{instance}/frames/{frame}/rendered")
        return _cpu_s(pid) - before


def _sent(url: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=60) as answer:
        return bytes(answer.read())


@contextmanager
def _server(folder: Path) -> Iterator[tuple[str, int]]:
    port, dicom = _free_port(), _free_port()
    folder.mkdir(parents=True, exist_ok=True)
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": port,
        "DicomPort": dicom,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpBindAddresses": ["127.0.0.1"],
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    program = available()
    assert program
    process = subprocess.Popen(
        [program, str(folder / "orthanc.json")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/system")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            _sent(url)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError("Orthanc does not answer")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
