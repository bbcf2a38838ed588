"""The service is killed at each kind of durable step while it receives and draws; nothing acknowledged is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydicom
import pytest
from PIL import Image

from exchange.settings import Modality
from tests.appliance.community import Community
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import ct_files, statuses, storescu
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Three instances take 5 steps each (fsync, link, fsync of the folder, commit, unlink), and drawing commits besides.
POINTS = (1, 2, 3, 4, 5, 8, 12)


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[ApplianceProcess]:
    process = ApplianceProcess(tmp_path / "erode", Community(tmp_path / "exchange"))
    yield process
    process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_nothing_acknowledged_is_lost(appliance: ApplianceProcess, tmp_path: Path, point: int) -> None:
    armed, files = tmp_path / "armed", ct_files(tmp_path / "ct", 3)
    appliance.start(kill_at=(str(point), "--after", str(armed))).enrol(Modality("CT1", "10.20.1.50"))
    armed.touch()
    acknowledged = statuses(storescu(appliance.address, *files)).count("Success")
    assert appliance.process is not None
    assert appliance.process.wait(PATIENCE_S) == -9
    appliance.start()
    check_whole(appliance, files, acknowledged)
    assert statuses(storescu(appliance.address, *files)) == ["Success"] * 3
    check_whole(appliance, files, 3)


def check_whole(appliance: ApplianceProcess, files: list[Path], acknowledged: int) -> None:
    """The disk and the index agree, all that was acknowledged is there and drawn, and nothing is half done."""
    appliance.wait_until_drawn()
    indexed = {uid for (uid,) in appliance.rows("SELECT sop_instance_uid FROM instance WHERE state = 'done'")}
    sent = [pydicom.dcmread(file) for file in files]
    assert {dataset.SOPInstanceUID for dataset in sent[:acknowledged]} <= indexed
    kept = [pydicom.dcmread(path) for path in (appliance.archive / "instances").rglob("*.dcm")]
    assert {dataset.SOPInstanceUID for dataset in kept} == indexed
    pixels = {dataset.SOPInstanceUID: dataset.PixelData for dataset in sent}
    assert all(dataset.PixelData == pixels[dataset.SOPInstanceUID] for dataset in kept)
    assert list((appliance.archive / "spool").iterdir()) == []
    shared = appliance.archive / "shared"
    drawn = {shared / path for (path,) in appliance.rows("SELECT path FROM rendition")}
    assert {path for path in shared.rglob("*") if path.is_file()} == drawn
    assert len(drawn) == len(indexed)
    for path in drawn:
        with Image.open(path) as picture:
            picture.load()
