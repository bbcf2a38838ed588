"""What an appliance answers is hostile: whatever it is, and however slowly it comes, it concerns that branch alone."""

from __future__ import annotations

import json
import shlex
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from provision.enrolling.enrolment import enrol
from provision.fleet import branch_status, health
from provision.fleet.glance import fleet
from provision.fleet.health import Health, Strange, health_of
from provision.visit.errors import NotUpgraded
from provision.visit.far_side import FarSide
from provision.visit.shell import shell_in
from provision.vm_state import address_of
from tests.appliance.process import free_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from provision.node import Node
    from provision.visit.far_side import State
    from provision.visit.shell import Machine
    from tests.provision.conftest import Office

GOOD = {"branch": "erode", "enrolled": True, "directory": 1, "settings": 1, "dicom": True}
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


@contextmanager
def answering(*pieces: bytes, pause_s: float = 0.0) -> Iterator[str]:
    """An address at which something answers every connection with pieces, one after the other."""
    address, over = free_address(), threading.Event()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                connection.recv(4096)
                for piece in pieces:
                    connection.sendall(piece)
                    if over.wait(pause_s):
                        return
            except OSError:
                return

    def serve(listener: socket.socket) -> None:
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    with socket.create_server((address, health.HTTP_PORT)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        yield address
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def as_json(**values: Any) -> bytes:
    return OK + json.dumps({**GOOD, **values}).encode()


STRANGE = {
    "infinity": OK + json.dumps(GOOD).replace('"directory": 1', '"directory": 1e999').encode(),
    "nested": OK + b"[" * 60_000,
    "many digits": OK + json.dumps(GOOD).replace('"directory": 1', '"directory": ' + "9" * 5000).encode(),
    "a large number": as_json(settings=1 << 70),
    "a negative number": as_json(outbox_bytes=-1),
    "a number as text": as_json(settings="1"),
    "a truth as number": as_json(directory=True),
    "no object": OK + b"[1]",
    "nothing": OK,
    "no JSON": OK + b"<html>",
    "no UTF-8": OK + b'{"branch": "\xff\xfe"}',
    "another object": OK + b'{"a": 1}',
    "escapes for a terminal": as_json(branch="x\x1b]0;owned\x07"),
    "a long name": as_json(branch="x" * 1000),
    "too large": OK + b" " * (1 << 20),
    "no HTTP": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{",
}


@pytest.mark.parametrize("case", STRANGE)
def test_an_answer_that_is_none_has_words(case: str) -> None:
    with answering(STRANGE[case]) as address:
        told = health_of(address)
    assert isinstance(told, Strange), told
    assert told.words.isprintable()


def test_a_good_one_is_understood() -> None:
    with answering(as_json(more="than is known")) as address:
        assert health_of(address) == Health("erode", enrolled=True, directory=1, settings=1, dicom=True)


def test_one_that_cannot_answer_does_not() -> None:
    with answering(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n") as address:
        assert health_of(address) is None


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nX-More: ", OK], ids=["nothing", "head", "body"])
def test_one_that_never_ends_is_left_after_its_time(begin: bytes) -> None:
    began = time.monotonic()
    with answering(begin, *[b" " if begin else b""] * 10_000, pause_s=0.1) as address:
        assert health_of(address, timeout_s=1.0) is None
        assert time.monotonic() - began < 60, "the pieces take 1000 s"


@pytest.mark.parametrize("case", ["infinity", "nested", "too large"])
def test_the_other_branches_are_told_all_the_same(office: Office, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    office.apply()
    office.until_running()
    with answering(STRANGE[case]) as address:

        def seen(vm: Node) -> str:
            return address if "erode" in vm.name else address_of(vm)

        monkeypatch.setattr(branch_status, "address_of", seen)
        enrolment = enrol(office.desk, office.community)
        lines = list(fleet(office.community, office.found(), office.plan()))
    for statuses in (enrolment.branches, [line.status for line in lines]):
        words = {each.name: each.words for each in statuses}
        assert set(words) == {"erode", "salem", "karur"}
        assert words["salem"] == words["karur"] == "it does not answer yet"
        assert words["erode"].startswith(("it answers something else", "it does not speak HTTP: an answer of more"))


STATE = {"version": "1", "digest": "", "schema": "0001", "free": 5, "under_way": False, "place": "/opt"}


@pytest.fixture
def says(machine: Machine, tmp_path: Path) -> Callable[[str], State]:
    """What the admin's side makes of what the program of upgrades says in a machine, over a real sshd."""

    def made_of(out: str) -> State:
        program = tmp_path / "opt/gurney/current/bin/python"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\ncat {shlex.quote(str(tmp_path / 'said'))}\n")
        program.chmod(0o755)
        (tmp_path / "said").write_text(out + "\n")
        with shell_in(machine) as shell:
            return FarSide(root=str(tmp_path)).state(shell)

    return made_of


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ('{"a": 1}', "no version, digest, schema, free, under_way"),
        (json.dumps({**STATE, "free": "much"}), "no good free"),
        (json.dumps({**STATE, "knows": 3}), "no good knows"),
        ("[" * 100_000, "ended with 0"),
    ],
)
def test_what_the_program_of_upgrades_says_is_looked_at(says: Callable[[str], State], out: str, words: str) -> None:
    with pytest.raises(NotUpgraded, match=words):
        says(out)


def test_what_it_says_more_is_passed_over(says: Callable[[str], State]) -> None:
    state = says(json.dumps(STATE))
    assert (state.version, state.free, state.running, state.knows) == ("1", 5, False, "")
