"""Bad days on demand: refused, dropped, lost and undone calls, and what the driver fails at."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.errors import EmulatorError
from emulator.faults import FaultRule, parse_fault
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

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
    """The call is answered with an id, and nothing is there; nothing else ever has that id."""
    assert faulty.template.allocate('NAME="never"') == 0
    assert names(faulty) == []
    assert faulty.template.allocate('NAME="another"') == 1


def test_what_is_accepted_and_not_done_takes_no_id_from_others_at_the_same_time(
    make_cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of many clients is told another id, also those who come while another's is undone."""
    cloud: Cloud = make_cloud(faults=("template.allocate:noop@1-60",))
    transaction = cloud.store.transaction

    def late() -> Any:
        time.sleep(0.002)
        return transaction()

    monkeypatch.setattr(cloud.store, "transaction", late)

    def allocate(number: int) -> int:
        one = pyone.OneServer(cloud.endpoint, session=cloud.session)
        return int(one.template.allocate(f'NAME="t{number}"'))

    with ThreadPoolExecutor(8) as clients:
        told = list(clients.map(allocate, range(120)))
    assert len(set(told)) == 120
    assert len(names(pyone.OneServer(cloud.endpoint, session=cloud.session))) == 60


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
    assert parse_fault("vm.info:512@2-4") == FaultRule("vm.info", "512", 2, 4)
    assert parse_fault("vm.*:drop@2+") == FaultRule("vm.*", "drop", 2, None)
    assert parse_fault("one.vm.info:5ms") == FaultRule("vm.info", "5ms")
    assert parse_fault("monitor.node-1:fail@3").concerns("monitor.node-1", 3)
    assert parse_fault("vm.info:5ms").concerns("vm.info", 99)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write METHOD:WHAT"),
        ("vm.info", "write METHOD:WHAT"),
        ("vm.info:", "write METHOD:WHAT"),
        ("vm.info:drop@", "write METHOD:WHAT"),
        ("vm info:drop", "write METHOD:WHAT"),
        ("vm.info:sleep", "write METHOD:WHAT"),
        ("vm.info:77", "none of OpenNebula's codes 256, 512"),
        ("vm.info:drop@0", "counted from 1"),
        ("vm.info:drop@4-2", "a range goes up"),
        ("vm.inof:drop", "answers no method 'vm.inof'"),
        ("vn.*x:drop", "answers no method"),
        ("vm.info:fail", "`fail` is for boot"),
    ],
)
def test_faults_that_could_never_strike(text: str, words: str) -> None:
    """They are refused, and the text says what is wrong with it."""
    with pytest.raises(EmulatorError, match=re.escape(words)):
        parse_fault(text)


def test_wrong_fault_is_wrong_usage(tmp_path: Path) -> None:
    """The command line says so before it starts a cloud."""
    ended = subprocess.run(
        [sys.executable, "-m", "cli", "emulator", "--state", str(tmp_path / "cloud"), "--fault", "vm.inof:drop"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "'--fault'" in ended.stderr
    assert "answers no method 'vm.inof'" in ended.stderr
    assert not (tmp_path / "cloud").exists()


@pytest.mark.parametrize("faulty", [("prolog:fail@1",)], indirect=True)
def test_machine_whose_disks_cannot_be_copied(faulty: Any) -> None:
    """PROLOG_FAILURE, with its reason, until it is recovered."""
    until(lambda: faulty.hostpool.info().HOST[0].STATE == 2)
    number = faulty.vm.allocate('NAME="vm"\nCPU="1"\nMEMORY="64"')
    until(lambda: faulty.vm.info(number).LCM_STATE == 39)
    assert "TRANSFER" in faulty.vm.info(number).USER_TEMPLATE["ERROR"]
    faulty.vm.recover(number, 2)
    until(lambda: faulty.vm.info(number).LCM_STATE == 3)


def test_answers_lost_one_after_the_other(make_cloud: Any) -> None:
    """A client that asks again where no answer came finds its object: the call was done, and is done once."""
    cloud: Cloud = make_cloud(faults=("template.allocate:lost@2+",))
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    one.template.allocate('NAME="first"')
    for number in range(20):
        with pytest.raises(OSError, match="closed connection"):
            one.template.allocate(f'NAME="t{number}"')
        with pytest.raises(OSError, match="closed connection"):
            one.template.allocate(f'NAME="t{number}"')
    assert len(names(one)) == 21
