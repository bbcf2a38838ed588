"""The archive's disk is full: the sender is told, nothing half is kept, and it goes on when there is room again."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import httpx
import numpy as np
import pytest

from exchange.settings import Modality
from tests.appliance.community import Community
from tests.appliance.hospital import PASSWORD, ct
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import statuses, storescu, written
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CT1 = Modality("CT1", "10.20.1.50")
REFUSED = "Refused: OutOfResources"


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[ApplianceProcess]:
    process = ApplianceProcess(tmp_path / "erode", Community(tmp_path / "exchange"))
    yield process
    process.kill()


def large_files(folder: Path, count: int) -> list[Path]:
    """CT images of 512 x 512."""
    datasets = ct(count=count)
    for dataset in datasets:
        dataset.Rows = dataset.Columns = 512
        dataset.PixelData = np.random.default_rng(1).integers(0, 4096, (512, 512), np.uint16).tobytes()
    return written(folder, *datasets)


@pytest.mark.slow
def test_a_file_that_may_not_grow(appliance: ApplianceProcess, tmp_path: Path) -> None:
    small, large = written(tmp_path / "small", *ct(count=2)), large_files(tmp_path / "large", 2)
    appliance.start(prefix=("prlimit", "--fsize=400000")).enrol(CT1)
    said = statuses(storescu(appliance.address, small[0], large[0], small[1], options=("-nh",)))
    assert said == ["Success", REFUSED, "Success"]
    assert list((appliance.archive / "spool").iterdir()) == []
    assert appliance.rows("SELECT count(*) FROM instance") == [(2,)]


@pytest.mark.slow
def test_a_disk_that_is_full(appliance: ApplianceProcess, tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody make a mount namespace: no small disk to fill")
    mount = f'mount -t tmpfs -o size=12m tmpfs {appliance.archive} && exec "$@"'
    appliance.start(prefix=("unshare", "-rm", "sh", "-c", mount, "sh"))
    assert appliance.process is not None
    appliance.archive = type(appliance.archive)(f"/proc/{appliance.process.pid}/root{appliance.archive}")
    appliance.enrol(CT1)
    storescu(appliance.address, *large_files(tmp_path / "first", 2))
    appliance.wait_until_drawn()
    assert len(pictures(appliance)) == 2
    files = large_files(tmp_path / "large", 30)
    said = statuses(storescu(appliance.address, *files, options=("-nh",)))
    kept = 2 + said.count("Success")
    assert 2 < kept < 32
    assert set(said) == {"Success", REFUSED}
    assert list((appliance.archive / "spool").iterdir()) == []
    assert instances(appliance) == kept
    until(lambda: any(line["event"] == "rendering waits" for line in appliance.lines()) or health_is_idle(appliance))
    assert len(pictures(appliance)) >= 2
    assert all(path.read_bytes().endswith(b"IEND\xaeB`\x82") for path in pictures(appliance))
    storescu(appliance.address, *written(tmp_path / "small", *ct(count=20)), options=("-nh",))
    people_still_come_in(appliance)
    assert [line for line in appliance.lines() if "exception" in line] == []


def instances(appliance: ApplianceProcess) -> int:
    return sum(path.is_file() for path in (appliance.archive / "instances").rglob("*"))


def health_is_idle(appliance: ApplianceProcess) -> bool:
    health = appliance.health()
    return health is not None and health["pending_renditions"] == 0


def pictures(appliance: ApplianceProcess) -> list[Path]:
    return list((appliance.archive / "shared").rglob("[!.]*.png"))


def people_still_come_in(appliance: ApplianceProcess) -> None:
    """They set a password, log in, and look; each look is in the audit log."""
    with httpx.Client(base_url=f"http://{appliance.address}:8080", trust_env=False, timeout=30) as client:
        for login, code in appliance.community.codes[appliance.branch].items():
            password = {"login": login, "password": PASSWORD}
            client.post("/api/invitations/accept", json=password | {"code": code}).raise_for_status()
            client.post("/api/session", json=password).raise_for_status()
        studies = client.get("/api/studies").raise_for_status().json()
        for study in studies:
            client.get(f"/api/studies/{study['address']}").raise_for_status()
        entries = client.get("/api/audit").raise_for_status().json()
    looks = [entry["subject"] for entry in entries if entry["action"] == "view"]
    assert studies
    assert sorted(looks) == sorted(study["study_instance_uid"] for study in studies)
