"""A cloud that gets OneGate, or loses it: templates and VMs that stand are told, and nothing is made anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from emulator.cloud import Cloud as EmbeddedCloud
from emulator.settings import Settings
from provision.opennebula import Cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.provision.conftest import Office


@pytest.fixture
def restarted() -> Iterator[Callable[[Office, bool], Office]]:
    """Starts the front end of an office again, with or without OneGate."""
    clouds: list[EmbeddedCloud] = []

    def restart(office: Office, onegate: bool) -> Office:
        office.embedded.stop()
        settings = Settings(state=office.folder / "state", driver="none", onegate=onegate)
        clouds.append(EmbeddedCloud(settings).start())
        desk = replace(office.desk, cloud=Cloud(clouds[-1].endpoint, clouds[-1].session))
        return replace(office, desk=desk, embedded=clouds[-1])

    yield restart
    for cloud in clouds:
        cloud.stop()


def contexts(office: Office) -> dict[str, bool]:
    return {name: bool(vm.text("TEMPLATE/CONTEXT/TOKEN")) for name, vm in office.found().view.appliances.items()}


def test_appliances_get_their_token_when_the_cloud_gets_onegate(
    new_office: Callable[..., Office], restarted: Callable[[Office, bool], Office]
) -> None:
    office = new_office(onegate=False)
    assert not office.apply().after
    office.until_running()
    assert set(contexts(office).values()) == {False}
    ids = {name: vm.id for name, vm in office.found().view.appliances.items()}

    office = restarted(office, True)
    office.until_running()
    the_plan = office.plan()
    changed = {(step.action, step.kind, change.field) for step in the_plan for change in step.changes}
    assert changed == {("update", "template", "token"), ("update", "appliance", "token")}
    assert all("when it is started again" in step.reason for step in the_plan if step.kind == "appliance")
    assert not office.apply().after
    assert set(contexts(office).values()) == {True}
    endpoints = {vm.text("TEMPLATE/CONTEXT/ONEGATE_ENDPOINT") for vm in office.found().view.appliances.values()}
    assert endpoints == {office.embedded.onegate}

    office = restarted(office, False)
    office.until_running()
    assert not office.apply().after
    assert set(contexts(office).values()) == {False}
    assert {name: vm.id for name, vm in office.found().view.appliances.items()} == ids
