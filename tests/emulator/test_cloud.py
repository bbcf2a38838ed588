"""A cloud as pyone sees it: made, used, stopped, started again."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.cloud import Cloud
from emulator.errors import EmulatorError
from emulator.settings import Settings
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_tells_how_to_reach_it(cloud: Cloud) -> None:
    """endpoint.json and one_auth are what a client needs; the password is no one else's to read."""
    told = json.loads((cloud.settings.state / "endpoint.json").read_text())
    assert told["endpoint"] == cloud.endpoint
    assert told["network"].startswith("127.")
    auth = cloud.settings.state / "one_auth"
    assert stat.S_IMODE(auth.stat().st_mode) == 0o600
    one = pyone.OneServer(told["endpoint"], session=auth.read_text().strip())
    assert one.system.version() == "7.4.0"


def test_two_clouds_share_no_network(tmp_path: Path, make_cloud: Callable[..., Cloud]) -> None:
    """Each cloud claims a network of its own."""
    places = {make_cloud(state=tmp_path / str(number)).place.network for number in range(3)}
    assert len(places) == 3


def test_busy_port_is_said_in_one_line(tmp_path: Path, cloud: Cloud) -> None:
    """A port that is taken ends in one clear sentence."""
    with pytest.raises(EmulatorError, match=rf"cannot listen on 127.0.0.1:{cloud.port}: Address already in use"):
        Cloud(Settings(state=tmp_path / "other", port=cloud.port, onegate_port=0))


def test_virtual_machine_runs_and_ends(one: Any) -> None:
    """The life of a virtual machine, with what it takes and gives back."""
    until(lambda: one.hostpool.info().HOST[0].STATE == 2 and one.datastore.info(1).FREE_MB > 0)
    image = one.image.allocate('NAME="disk"\nTYPE="DATABLOCK"\nSIZE="10"\nPERSISTENT="YES"', 1)
    until(lambda: one.image.info(image).STATE == 1)
    net = one.vn.allocate('NAME="n"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.0.0.10",SIZE="4"]', 0)
    template = one.template.allocate(
        f'NAME="t"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="{image}"]\nNIC=[NETWORK_ID="{net}"]\nCONTEXT=[NETWORK="YES"]'
    )
    vm = one.template.instantiate(template, "first", False, "", False)
    until(lambda: (one.vm.info(vm).STATE, one.vm.info(vm).LCM_STATE) == (3, 3))
    found = one.vm.info(vm)
    assert found.TEMPLATE["NIC"]["IP"] == "10.0.0.10"
    assert found.TEMPLATE["CONTEXT"]["ETH0_IP"] == "10.0.0.10"
    assert found.HISTORY_RECORDS.HISTORY[0].HOSTNAME == "embedded"
    assert one.image.info(image).STATE == 8
    with pytest.raises(pyone.OneActionException, match="There are 1 VMs using it"):
        one.image.delete(image)
    one.vm.action("terminate-hard", vm)
    until(lambda: one.vm.info(vm).STATE == 6)
    assert one.image.info(image).STATE == 1
    one.vn.delete(net)


def test_state_survives_a_restart(tmp_path: Path) -> None:
    """What was made is there again, ids go on, and what was under way is finished."""
    settings = Settings(state=tmp_path / "cloud", driver="none", port=0)
    with Cloud(settings) as cloud:
        one = pyone.OneServer(cloud.endpoint, session=cloud.session)
        until(lambda: one.datastore.info(1).FREE_MB > 0)
        group = one.group.allocate("branch")
        image = one.image.allocate('NAME="d"\nTYPE="DATABLOCK"\nSIZE="10"', 1)
    with Cloud(settings) as cloud:
        one = pyone.OneServer(cloud.endpoint, session=cloud.session)
        assert one.group.info(group).NAME == "branch"
        until(lambda: one.image.info(image).STATE == 1)
        assert one.group.allocate("other") == group + 1
    assert not (tmp_path / "cloud" / "endpoint.json").exists()
