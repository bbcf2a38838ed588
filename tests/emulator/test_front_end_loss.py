"""A front end without power: it hangs up and does nothing, its guests go on, and so does it when power is back."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pyone
import pytest

from emulator.cloud import Cloud
from emulator.errors import EmulatorError
from emulator.power import Power
from emulator.settings import Pace, Settings
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_mock import MockerFixture

HOUR_S = 3600.0


def test_it_hangs_up_and_schedules_nothing_until_it_is_back(tmp_path: Path, mocker: MockerFixture) -> None:
    with Cloud(Settings(state=tmp_path, driver="none", port=0)) as cloud:
        one = pyone.OneServer(cloud.endpoint, session=cloud.session)
        until(lambda: one.hostpool.info().HOST[0].STATE == 2)
        running = one.vm.allocate('NAME="a"\nCPU="1"\nMEMORY="64"')
        until(lambda: one.vm.info(running).LCM_STATE == 3)
        settings, cloud.settings = cloud.settings, replace(cloud.settings, pace=Pace(schedule_s=HOUR_S))
        waiting = one.vm.allocate('NAME="b"\nCPU="1"\nMEMORY="64"', True)
        one.vm.action("release", waiting)
        cloud.power.lose_front_end()
        for address in (cloud.endpoint, cloud.onegate):
            with pytest.raises(httpx.TransportError):
                httpx.post(address, content=b"<methodCall/>", trust_env=False)
        cloud.settings = settings
        mocker.patch.object(cloud.clock, "now", side_effect=lambda: time.time() + HOUR_S + 1)  # it is to be placed
        looks = mocker.spy(cloud.power, "front_end_is_lost")
        until(lambda: looks.call_count > 2, "another round")
        record = cloud.store.get("vm", waiting)
        assert record is not None
        assert record.state == 1, "nobody places it"
        cloud.power.restore_front_end()
        until(lambda: one.vm.info(waiting).LCM_STATE == 3)
        assert one.vm.info(running).LCM_STATE == 3


def test_it_is_lost_and_restored_from_a_shell(tmp_path: Path) -> None:
    with Cloud(Settings(state=tmp_path, driver="none", port=0)) as cloud:
        for option, lost in (("--lose-front-end", True), ("--restore-front-end", False)):
            command = [sys.executable, "-m", "cli", "emulator", "--state", str(tmp_path), option]
            subprocess.run(command, check=True, capture_output=True)
            assert cloud.power.front_end_is_lost() == lost


def test_a_folder_without_a_cloud_has_no_front_end(tmp_path: Path) -> None:
    with pytest.raises(EmulatorError, match="holds no embedded cloud"):
        Power(tmp_path).lose_front_end()
