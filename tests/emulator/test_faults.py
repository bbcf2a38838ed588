"""Bad days on demand: refused, dropped, lost and undone calls, and what the driver fails at."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.errors import EmulatorError
from emulator.faults import FaultRule, parse_fault
from tests.emulator.waiting import until

if TYPE_CHECKING:
    from emulator.cloud import Cloud

IMAGE = 'NAME="{}"\nTYPE="DATABLOCK"\nSIZE="10"'


@pytest.fixture
def faulty(make_cloud: Any, request: pytest.FixtureRequest) -> Any:
    """pyone to a cloud with the faults that a test asks for."""
    cloud: Cloud = make_cloud(faults=request.param)
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    until(lambda: one.datastore.info(1).FREE_MB > 0)
    return one


def names(one: Any) -> list[str]:
    """Names of all templates."""
    return sorted(found.NAME for found in one.templatepool.info(-2, -1, -1).VMTEMPLATE)


@pytest.mark.parametrize("faulty", [("image.allocate:2048@3",)], indirect=True)
def test_refused_call(faulty: Any) -> None:
    """The third call is refused, and does nothing; the others are not."""
    faulty.image.allocate(IMAGE.format("a"), 1)
    faulty.image.allocate(IMAGE.format("b"), 1)
    with pytest.raises(pyone.OneActionException, match="Fault injected"):
        faulty.image.allocate(IMAGE.format("c"), 1)
    faulty.image.allocate(IMAGE.format("c"), 1)
    assert len(faulty.imagepool.info(-2, -1, -1).IMAGE) == 3


@pytest.mark.parametrize("faulty", [("template.allocate:drop@1", "template.allocate:lost@2")], indirect=True)
def test_dropped_and_lost_answers(faulty: Any) -> None:
    """A dropped call did nothing; a lost one did, and the client cannot know."""
    with pytest.raises(OSError, match="closed connection"):
        faulty.template.allocate('NAME="dropped"')
    assert names(faulty) == []
    with pytest.raises(OSError, match="closed connection"):
        faulty.template.allocate('NAME="lost"')
    assert names(faulty) == ["lost"]


@pytest.mark.parametrize("faulty", [("template.*:noop@1",)], indirect=True)
def test_accepted_but_not_done(faulty: Any) -> None:
    """The call is answered with an id, and nothing is there."""
    assert faulty.template.allocate('NAME="never"') == 0
    assert names(faulty) == []


@pytest.mark.parametrize("faulty", [("template.info:300ms",)], indirect=True)
def test_slow_call(faulty: Any) -> None:
    """One method takes its time; others do not wait for it."""
    number = faulty.template.allocate('NAME="t"')
    began = time.monotonic()
    faulty.template.info(number)
    assert time.monotonic() - began >= 0.3


@pytest.mark.parametrize("faulty", [("image:fail@1",)], indirect=True)
def test_image_that_cannot_be_made(faulty: Any) -> None:
    """The datastore fails, and the image says so."""
    number = faulty.image.allocate(IMAGE.format("a"), 1)
    until(lambda: faulty.image.info(number).STATE == 5)
    assert "Fault injected" in faulty.image.info(number).TEMPLATE["ERROR"]


@pytest.mark.parametrize("faulty", [("boot:fail@1",)], indirect=True)
def test_machine_that_cannot_boot(faulty: Any) -> None:
    """BOOT_FAILURE, until it is recovered."""
    until(lambda: faulty.hostpool.info().HOST[0].STATE == 2)
    number = faulty.vm.allocate('NAME="vm"\nCPU="1"\nMEMORY="64"')
    until(lambda: faulty.vm.info(number).LCM_STATE == 36)
    faulty.vm.recover(number, 2)
    until(lambda: faulty.vm.info(number).LCM_STATE == 3)


def test_how_faults_are_written() -> None:
    """One, a range, from one on, all."""
    assert parse_fault("a.b:512@2-4") == FaultRule("a.b", "512", 2, 4)
    assert parse_fault("a.*:drop@2+") == FaultRule("a.*", "drop", 2, None)
    assert parse_fault("a.b:5ms").concerns("a.b", 99)
    for wrong in ("", "a.b", "a.b:", "a.b:77", "a.b:drop@", "a b:drop"):
        with pytest.raises(EmulatorError, match="not a fault"):
            parse_fault(wrong)
