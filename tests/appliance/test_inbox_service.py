"""The inbox of a running service without Samba: read if the settings allow it, drawn, and safe when it is killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.appliance.community import Community
from tests.appliance.hospital import ct
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import written
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
COUNT = 150


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[ApplianceProcess]:
    process = ApplianceProcess(tmp_path / "erode", Community(tmp_path / "exchange")).start().enrol()
    yield process
    process.kill()


def allow(appliance: ApplianceProcess) -> Path:
    """Let the settings say so; the radiographer's folder."""
    appliance.community.appoint(appliance.branch, inbox=True)
    folder = appliance.archive / "inbox" / "r.devi"
    until(folder.is_dir)
    return folder


def kept(appliance: ApplianceProcess) -> int:
    return int(appliance.rows("SELECT count(*) FROM instance")[0][0])


def test_a_cd_arrives_and_is_drawn_through_a_kill(appliance: ApplianceProcess, tmp_path: Path) -> None:
    """The service is killed while it imports; nothing is lost, nothing kept twice, and what is filed is gone."""
    assert not (appliance.archive / "inbox").exists(), "the admin has allowed none"
    folder = allow(appliance)
    datasets = ct(count=COUNT)
    written(tmp_path / "CD", *datasets)
    (tmp_path / "CD" / "viewer.exe").write_bytes(b"MZ")
    (tmp_path / "CD").rename(folder / "CD")
    until(lambda: kept(appliance) >= COUNT // 5)
    appliance.kill()
    appliance.start()
    until(lambda: kept(appliance) == COUNT and not list((folder / "CD").rglob("*.*")))
    uids = {uid for (uid,) in appliance.rows("SELECT sop_instance_uid FROM instance")}
    assert uids == {dataset.SOPInstanceUID for dataset in datasets}
    appliance.wait_until_drawn()
    assert len(list((appliance.archive / "shared").rglob("[!.]*.png"))) == COUNT
    assert [path.name for path in folder.rglob("*.exe")] == ["viewer.exe"]
    until(lambda: any("images arrived." in path.read_text("utf-8-sig") for path in folder.glob("report *")))
    assert list((appliance.archive / "spool").iterdir()) == []
    assert [line for line in appliance.lines() if "exception" in line] == []
