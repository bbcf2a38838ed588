"""Instances a second that an appliance keeps, beside DCMTK's storescp (no index) and Orthanc.

200 CT images of 525 kB and 600 instances of 3 kB are sent by DCMTK's storescu over loopback, in one association and in
four; once as storescu is shipped (Nagle's algorithm on), and once with TCP_NODELAY=1 in its environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.uid import generate_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETS = {"CT 525 kB": (200, 512), "small 3 kB": (600, 16)}
ASSOCIATIONS = (1, 4)


@dataclass(frozen=True)
class Receiver:
    """Who receives, and where."""

    name: str
    address: str
    port: int
    called: str


def make_files(folder: Path, count: int, side: int) -> None:
    """CT images of one series: noise, so that nothing is compressed on the way."""
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    for element in [e for e in dataset if e.tag.is_private or e.VR == "SQ" or e.tag == 0xFFFCFFFC]:
        del dataset[element.tag]
    dataset.Rows = dataset.Columns = side
    dataset.PixelData = np.random.default_rng(1).integers(0, 4096, (side, side), np.uint16).tobytes()
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), generate_uid()
    folder.mkdir(parents=True)
    for number in range(count):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        dataset.InstanceNumber = number + 1
        dataset.save_as(folder / f"{number % max(ASSOCIATIONS)}-{number:05d}.dcm")


def rate(receiver: Receiver, files: list[Path], associations: int, nodelay: bool) -> float:
    """Instances a second."""
    environment = {**os.environ, "TCP_NODELAY": "1"} if nodelay else os.environ
    command = ["storescu", "-aec", receiver.called, receiver.address, str(receiver.port)]
    shares = [files[share::associations] for share in range(associations)]
    began = time.perf_counter()
    senders = [subprocess.Popen([*command, *map(str, share)], env=environment) for share in shares]
    codes = [sender.wait() for sender in senders]
    seconds = time.perf_counter() - began
    assert not any(codes), f"{receiver.name}: storescu failed"
    return len(files) / seconds


@contextmanager
def running(command: list[str], ready: Callable[[], bool]) -> Iterator[None]:
    """A receiver's process, from when it answers."""
    environment = {**os.environ, "TCP_NODELAY": "1"}  # DCMTK's and Orthanc's best
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not ready():
            assert time.monotonic() < deadline, f"{command[0]} does not answer"
            assert process.poll() is None, f"{command[0]} has ended"
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(30)


def answers(receiver: Receiver) -> bool:
    """Whether a C-ECHO is answered."""
    command = ["echoscu", "-aec", receiver.called, receiver.address, str(receiver.port)]
    return subprocess.run(command, capture_output=True).returncode == 0


@contextmanager
def gurney(folder: Path) -> Iterator[Receiver]:
    """A real appliance, enrolled in a community of its own; its pictures are drawn at the same time, as in service."""
    from exchange.settings import Modality
    from tests.appliance.community import Community
    from tests.appliance.process import ApplianceProcess

    appliance = ApplianceProcess(folder / "erode", Community(folder / "exchange"))
    appliance.start().enrol(Modality("STORESCU", "127.0.0.1"))
    try:
        yield Receiver("gurney (durable, index, drawing)", appliance.address, 11112, "ERODE")
    finally:
        appliance.stop()


@contextmanager
def storescp(folder: Path) -> Iterator[Receiver]:
    """DCMTK's receiver: it writes files, and neither flushes nor indexes them."""
    target = folder / "storescp"
    target.mkdir()
    receiver = Receiver("dcmtk storescp (no flush, no index)", "127.0.0.1", 11119, "ANY")
    with running(["storescp", "--fork", "-od", str(target), "11119"], lambda: answers(receiver)):
        yield receiver


@contextmanager
def orthanc(folder: Path) -> Iterator[Receiver]:
    """Orthanc with its own SQLite index."""
    target = folder / "orthanc"
    target.mkdir()
    configuration = target / "orthanc.json"
    configuration.write_text(
        f'{{"StorageDirectory": "{target}", "DicomPort": 11118, "HttpPort": 18042, "DicomAlwaysAllowStore": true,'
        ' "OverwriteInstances": true}'
    )
    receiver = Receiver("Orthanc, SQLite", "127.0.0.1", 11118, "ORTHANC")
    with running(["Orthanc", str(configuration)], lambda: answers(receiver)):
        yield receiver


def measure(opened: Callable[[Path], object], data: Path) -> None:
    """Print a line for each set; every measurement on an empty archive."""
    for name in SETS:
        for associations in ASSOCIATIONS:
            for nodelay in (False, True):
                with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as receiver:  # type: ignore[attr-defined]
                    found = rate(receiver, sorted((data / name).iterdir()), associations, nodelay)
                how = "TCP_NODELAY" if nodelay else "as shipped"
                print(f"{receiver.name:36} {name:10} {associations} associations, {how:12} {found:8.0f} /s", flush=True)


def main() -> None:
    """Measure every receiver that this machine has."""
    receivers = {"gurney": gurney, "storescp": storescp, "Orthanc": orthanc}
    wanted = sys.argv[1:] or [name for name in receivers if name == "gurney" or shutil.which(name)]
    with tempfile.TemporaryDirectory() as folder:
        for name, (count, side) in SETS.items():
            make_files(Path(folder) / name, count, side)
        for name in wanted:
            measure(receivers[name], Path(folder))


if __name__ == "__main__":
    main()
