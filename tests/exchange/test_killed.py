"""A process is killed at each of its steps, started again, and ends where an undisturbed one does.

The child kills itself with SIGKILL at the n-th operation that changes the file system, told by Python's own audit
events: no code of ours knows of it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from exchange.offers import Offer
from exchange.outgoing import Outgoing
from exchange.sending import send
from tests.exchange.road import kept, receive, referral

if TYPE_CHECKING:
    from pathlib import Path

    from tests.exchange.conftest import Kongu

CHILD = """
import os, signal, sys
from pathlib import Path
from exchange.acknowledgement import acknowledge
from exchange.directory import Directory
from exchange.folder import Folder
from exchange.keys import load_keys
from exchange.offers import Offer
from exchange.outgoing import Outgoing
from exchange.sending import send, withdraw
from tests.exchange.road import NOW, receive

task, state, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
directory = Directory.decode((state / "directory").read_bytes())
outgoing = Outgoing.decode((state / "outgoing").read_bytes())
keys = {name: load_keys(state / name) for name in ("erode", "salem")}
exchange, root = Folder(state / "exchange"), state / "exchange"
erode, salem = Folder(root / "out/erode"), Folder(root / "out/salem")

def sending():
    erode.sweep()
    send(erode, outgoing, keys["erode"], directory)

def receiving():
    salem.sweep()
    offer = Offer("erode", outgoing.referral_id)
    arrived = receive(exchange, offer, "salem", keys["salem"], directory, state / "spool")
    arrived = len(arrived)
    acknowledge(salem, offer, "salem", keys["salem"], directory, arrived=arrived, total=arrived, at=NOW)

def withdrawing():
    withdraw(erode, "salem", outgoing.referral_id)

steps = 0
changes = {"os.mkdir", "os.link", "os.remove", "os.rmdir", "os.rename"}

def count(event, arguments):
    global steps
    writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if event in changes or writes:
        steps += 1
        if steps == last:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(count)
{"sending": sending, "receiving": receiving, "withdrawing": withdrawing}[task]()
"""

SIZES = (1500, 700, 3000)


@pytest.fixture
def state(kongu: Kongu, tmp_path: Path) -> Path:
    from exchange.keys import save_keys

    (tmp_path / "directory").write_bytes(kongu.directory.encode())
    outgoing = referral(kongu.directory, kept(tmp_path / "archive", SIZES))
    (tmp_path / "outgoing").write_bytes(outgoing.encode())
    for name in ("erode", "salem"):
        save_keys(tmp_path / name, kongu.keys[name])
    return tmp_path


def outgoing_of(state: Path) -> Outgoing:
    return Outgoing.decode((state / "outgoing").read_bytes())


def run(task: str, state: Path, last_step: int = 0) -> int:
    child = subprocess.run([sys.executable, "-c", CHILD, task, str(state), str(last_step)], check=False)
    assert child.returncode in {0, -signal.SIGKILL}
    return child.returncode


def killed_at_every_step(task: str, state: Path, limit: int) -> int:
    """Killed at step 1, started again and killed at step 2, and so on, until one run reaches its end."""
    for step in range(1, limit):
        if run(task, state, step) == 0:
            return step
    pytest.fail("it does not come to an end")


def letter(state: Path) -> list[str]:
    return sorted(os.listdir(state / "exchange/out/erode" / outgoing_of(state).folder))  # noqa: PTH208


@pytest.mark.slow
def test_a_sender_killed_again_and_again_gets_its_referral_out_once(kongu: Kongu, state: Path) -> None:
    assert killed_at_every_step("sending", state, limit=40) > 4
    assert letter(state) == ["0001.parcel.age", "0002.parcel.age", "0003.parcel.age", "manifest.age"]
    offer = Offer("erode", outgoing_of(state).referral_id)
    arrived = receive(kongu.exchange, offer, "salem", kongu.keys["salem"], kongu.directory, state / "spool")
    assert [item.path.stat().st_size for item in arrived] == list(SIZES)


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, 15))
def test_a_sender_killed_once_leaves_nothing_that_a_reader_could_take_for_whole(
    kongu: Kongu, state: Path, step: int
) -> None:
    run("sending", state, step)
    files = [path for path in kongu.files() if ".tmp-" not in path.name and path.suffix == ".age"]
    whole = {path: path.read_bytes() for path in files}
    assert run("sending", state) == 0
    assert all(path.read_bytes() == content for path, content in whole.items())
    assert letter(state) == ["0001.parcel.age", "0002.parcel.age", "0003.parcel.age", "manifest.age"]


@pytest.mark.slow
def test_a_recipient_killed_again_and_again_has_it_whole_and_answers_once(kongu: Kongu, state: Path) -> None:
    send(kongu.outbox("erode"), outgoing_of(state), kongu.keys["erode"], kongu.directory)
    assert killed_at_every_step("receiving", state, limit=40) > 4
    assert sorted(path.stat().st_size for path in (state / "spool").iterdir()) == sorted(SIZES)
    (answer,) = (state / "exchange/out/salem/erode").iterdir()
    assert answer.name == f"{outgoing_of(state).referral_id}.ack.age"


@pytest.mark.slow
def test_a_withdrawal_that_is_killed_is_finished_by_the_next(kongu: Kongu, state: Path) -> None:
    send(kongu.outbox("erode"), outgoing_of(state), kongu.keys["erode"], kongu.directory)
    run("withdrawing", state, 2)
    assert "manifest.age" not in letter(state)
    assert killed_at_every_step("withdrawing", state, limit=20) > 1
    assert not (state / "exchange/out/erode" / outgoing_of(state).folder).exists()
