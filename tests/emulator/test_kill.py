"""A cloud that is killed at any point has done what it answered, and goes on with what was under way."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any
from xml.parsers.expat import ExpatError as ParseError

import pyone
import pytest

from emulator import cloud as cloud_module
from emulator.cloud import Cloud
from emulator.settings import Settings
from tests.emulator.test_invariants import check
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS, CLIENTS = 5, 4
MACHINE = 'NAME="{}"\nCPU="0.1"\nMEMORY="1"\nNIC=[NETWORK_ID="{}"]\nDISK=[TYPE="fs",SIZE="1",FORMAT="raw"]'


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "cloud"


def started(state: Path) -> subprocess.Popen[bytes]:
    """The cloud in a process of its own, as soon as it answers."""
    command = [sys.executable, "-m", "cli", "emulator", "--state", str(state), "--driver", "none", "--port", "0"]
    process = subprocess.Popen([*command, "--host", "a", "--host", "b"], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(b"export ONE_XMLRPC=")
    return process


def client(state: Path) -> Any:
    endpoint = json.loads((state / "endpoint.json").read_text())["endpoint"]
    return pyone.OneServer(endpoint, session=(state / "one_auth").read_text().strip())


class Customer:
    """Makes and ends machines until the cloud is gone; knows what it was told."""

    def __init__(self, name: str) -> None:
        self.name, self.made, self.ended, self.failed = name, set[int](), set[int](), list[str]()

    def work(self, state: Path, net: int) -> None:
        one = client(state)
        for number in range(10_000):
            try:
                vm = one.vm.allocate(MACHINE.format(f"{self.name}-{number}", net))
                self.made.add(vm)
                if number % 3 == 0:
                    one.vm.action("terminate-hard", vm)
                    self.ended.add(vm)
            except pyone.OneException as error:
                if "not available for state" not in str(error):
                    self.failed.append(str(error))
            except (OSError, HTTPException, ParseError):
                return  # the connection broke as the cloud was killed


@pytest.mark.slow
def test_killed_again_and_again(state: Path) -> None:
    lot = random.Random(1)
    customers = [Customer(f"c{number}") for number in range(CLIENTS)]
    net = -1
    for _ in range(ROUNDS):
        process = started(state)
        try:
            if net < 0:
                net = client(state).vn.allocate(
                    'NAME="n"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="60000"]', 0
                )
            threads = [threading.Thread(target=one.work, args=(state, net), daemon=True) for one in customers]
            wanted = made_by(customers) + 1
            for thread in threads:
                thread.start()
            until(partial(at_least, wanted, customers), "a machine")
            time.sleep(lot.uniform(0, 0.5))
        finally:
            process.kill()
            process.communicate()
        for thread in threads:
            thread.join(20)
    made = set().union(*(one.made for one in customers))
    assert len(made) == made_by(customers) >= ROUNDS  # no id was given twice
    assert not [words for one in customers for words in one.failed]
    with Cloud(Settings(state=state, driver="none", port=0)) as cloud:
        machines = {vm.oid: vm for vm in cloud.store.all("vm")}
        assert made <= set(machines)
        until(lambda: all(settled(vm) for vm in cloud.store.all("vm")))
        assert all(machines[oid].state == 6 for one in customers for oid in one.ended)
        with cloud.store.lock:
            check(cloud)


def made_by(customers: list[Customer]) -> int:
    return sum(len(one.made) for one in customers)


def at_least(wanted: int, customers: list[Customer]) -> bool:
    return made_by(customers) >= wanted


def settled(vm: Any) -> bool:
    return vm.state == 6 or (vm.state, vm.body["LCM_STATE"]) == (3, 3)


def test_killed_before_it_was_ready(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a first start that was broken off the next one makes a whole cloud, and tells its password."""

    def die(*_arguments: Any) -> Iterator[None]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(cloud_module, "fill", die)
        with pytest.raises(KeyboardInterrupt):
            Cloud(Settings(state=state, driver="none", port=0))
    with Cloud(Settings(state=state, driver="none", port=0)):
        assert client(state).user.info(-1).NAME == "oneadmin"
    for name in ("lock", "state.sqlite", "network", "one_auth"):
        folder = state.with_name(f"{state.name} {name}")
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "emulator", "--state", str(folder), "--driver", "none", "--port", "0"],
            stdout=subprocess.DEVNULL,
        )
        until((folder / name).exists, name)
        process.kill()
        process.wait()
        with Cloud(Settings(state=folder, driver="none", port=0)) as cloud:
            assert pyone.OneServer(cloud.endpoint, session=cloud.session).user.info(-1).NAME == "oneadmin"
