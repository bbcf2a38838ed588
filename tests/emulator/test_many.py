"""Large numbers: ten thousand virtual machines."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from xmlrpc.client import ServerProxy

import pytest

from emulator.dispatch import Dispatcher

if TYPE_CHECKING:
    from emulator.cloud import Cloud

COUNT, SAMPLE = 10_000, 500
MACHINE = 'NAME="m"\nCPU="1"\nMEMORY="64"'


def seconds_to_make(answers: Dispatcher, session: str, count: int) -> float:
    """How long it takes to make machines."""
    began = time.process_time()
    for _ in range(count):
        assert answers.answer("one.vm.allocate", [session, MACHINE, True])[0]
    return time.process_time() - began


@pytest.mark.slow
def test_ten_thousand_machines(cloud: Cloud) -> None:
    """The last is made as fast as the first, a page of the pool is a page, all of it is complete."""
    answers = Dispatcher(cloud)
    early = seconds_to_make(answers, cloud.session, SAMPLE)
    seconds_to_make(answers, cloud.session, COUNT - 2 * SAMPLE)
    late = seconds_to_make(answers, cloud.session, SAMPLE)
    assert late < early * 5
    one: Any = ServerProxy(cloud.endpoint).one
    assert f"<ID>{COUNT - 1}</ID>" in one.vm.info(cloud.session, COUNT - 1, False)[1]
    assert one.vmpool.info(cloud.session, -2, 0, -10, -1, "")[1].count("<VM>") == 10
    assert one.vmpool.info(cloud.session, -2, -1, -1, -1, "")[1].count("<VM>") == COUNT
