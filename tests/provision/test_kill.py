"""An apply that is killed at any call is finished by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING

import pytest

from emulator.settings import Pace
from provision.applying.apply import apply
from provision.applying.destroy import plan_to_destroy
from provision.declaring.reading import parse
from provision.planning.plan import plan
from tests.provision.mortal import ALL, ONE_BRANCH, apply_and_die
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office


def check(office: Office, branches: int) -> None:
    """Everything is there, once, and nothing else of ours."""
    now = office.found()
    assert now.foreign == ()
    assert not plan(office.community, now)
    pools = ("group", "vdc", "vn", "image", "template", "vm", "secgroup", "datastore", "document")
    names = [node.name for pool in pools for node in now.pools.nodes[pool] if node.name.startswith("kongu.")]
    assert len(names) == 8 * branches + 4, names


PARTS = 4


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_every_call(new_office: Callable[..., Office], part: int, before: bool) -> None:
    for last in count(1 + part, PARTS):
        office = replace(new_office(f"{last}"), community=parse(ONE_BRANCH))
        died = apply_and_die(office, office.plan(), last, before=before)
        again = office.plan()
        assert again.obstacles == (), f"call {last}"
        assert died or not again
        apply(office.desk, again)
        check(office, 1)
        office.embedded.stop()
        if not died:
            break
    assert last > 25


@pytest.mark.parametrize("last", range(1, 80, 8))
def test_killed_on_the_example(new_office: Callable[..., Office], last: int) -> None:
    office = new_office()
    assert apply_and_die(office, office.plan(), last, before=bool(last % 16 == 1))
    assert not office.apply().after
    check(office, 3)


def test_killed_while_destroying(new_office: Callable[..., Office]) -> None:
    office = new_office()
    office.apply()
    for last in (1, 4, 9, 14):
        the_plan = plan_to_destroy(office.found())
        assert apply_and_die(office, the_plan, last, before=False)
    apply(office.desk, plan_to_destroy(office.found()), allow=ALL)
    assert not plan_to_destroy(office.found())
    office.apply()
    check(office, 3)


def test_ctrl_c_ends_at_once_whatever_is_waited_for(new_office: Callable[..., Office]) -> None:
    """An image takes a minute; nobody waits for it, and the next apply goes on."""
    office = new_office(pace=Pace(image_s=60))
    file = office.folder / "community.yaml"
    file.write_text(ONE_BRANCH)
    program = [sys.executable, "-m", "cli", "apply", "--yes", "-f", str(file), "--exchange", str(office.exchange)]
    own = {**os.environ, **office.environment}
    with subprocess.Popen(program, env=own, stderr=subprocess.PIPE, text=True) as process:
        until(lambda: office.found().view.pools.nodes["template"])
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, err = process.communicate(timeout=50)
        assert time.monotonic() - began < 40
    assert process.returncode == 130, err
    assert "Interrupted." in err
    assert not [node.name for node in office.found().pools.nodes["document"] if "applying" in node.name]
