"""A version that an upgrade has not judged yet answers, and takes nothing up before it is judged."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from appliance.dimse.scu import Peer, echo
from exchange.settings import Modality
from tests.appliance.community import Community
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import ct_files, statuses, storescu

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CT1 = Modality("CT1", "10.20.1.50")


class ClosedAppliance(ApplianceProcess):
    """One whose unit names the file of an upgrade."""

    @property
    def journal(self) -> Path:
        return self.archive.parent / "upgrade.json"

    @property
    def arguments(self) -> list[str]:
        return [*super().arguments, "--closed-while", str(self.journal)]


@pytest.fixture
def appliance(tmp_path: Path) -> Iterator[ClosedAppliance]:
    process = ClosedAppliance(tmp_path / "erode", Community(tmp_path / "exchange"))
    yield process
    process.kill()


def events(appliance: ApplianceProcess) -> list[str]:
    return [line["event"] for line in appliance.lines()]


def test_closed_service_answers_and_opens_by_itself(appliance: ClosedAppliance, tmp_path: Path) -> None:
    appliance.journal.touch()
    appliance.start()
    assert (appliance.health()["dicom"], appliance.health()["closed"]) == (True, True)  # type: ignore[index]
    assert echo(Peer(appliance.ae_title, appliance.address, 11112), calling="GURNEY")
    time.sleep(1)
    assert not (appliance.archive / "keys" / "enrolment.json").exists()
    assert events(appliance)[-1] == "closed"
    appliance.journal.unlink()
    appliance.enrol(CT1)
    assert statuses(storescu(appliance.address, *ct_files(tmp_path / "ct", 1))) == ["Success"]
    appliance.wait_until_drawn()
    assert "serving" in events(appliance)
    assert not appliance.health()["closed"]  # type: ignore[index]


def test_closed_service_stops_when_told(appliance: ClosedAppliance) -> None:
    appliance.journal.touch()
    appliance.start()
    appliance.stop()
    assert events(appliance)[-2:] == ["stopping", "stopped"]
    assert "serving" not in events(appliance)
