"""Several addresses that take all places of a port and say nothing: who has something to say is served all the same."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from appliance.dimse.callers import KnownAddresses
from appliance.door import Door, Limits
from tests.appliance.community import Community
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import ct_files, statuses, storescu
from tests.appliance.tls import CT1, DICOM, DICOM_TLS, HTTP, HTTPS, dcmtk, root_file
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: More than there are places for, whichever port it is.
CROWD = [f"127.0.7.{number}" for number in range(1, 9)]
EACH = 70


@pytest.fixture(scope="module")
def erode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApplianceProcess]:
    folder = tmp_path_factory.mktemp("crowd")
    process = ApplianceProcess(folder / "erode", Community(folder / "exchange"))
    try:
        process.start().enrol(CT1)
        until(lambda: (process.health() or {}).get("secure") is True)
        yield process
    finally:
        process.kill()


@contextmanager
def crowd(address: str, port: int, said: bytes = b"") -> Iterator[list[socket.socket]]:
    """Connections from many addresses on which nothing is said, or not all."""
    with ExitStack() as opened:
        held = [opened.enter_context(socket.socket()) for _ in range(EACH * len(CROWD))]
        for number, one in enumerate(held):
            one.settimeout(60)
            one.bind((CROWD[number // EACH], 0))
            one.connect((address, port))
        for one in held:
            one.setblocking(False)
            try:
                one.send(said)
            except OSError:
                continue  # it was turned away
        yield held


def test_a_browser_is_served_at_once(erode: ApplianceProcess, tmp_path: Path) -> None:
    trust = ssl.create_default_context(cafile=root_file(erode, tmp_path))
    for scheme, port, said in (("http", HTTP, b"GET /health HT"), ("https", HTTPS, b"")):
        with httpx.Client(verify=trust, trust_env=False, timeout=60) as client, crowd(erode.address, port, said):
            for _ in range(3):
                assert client.get(f"{scheme}://{erode.address}:{port}/health").status_code == 200
    assert "made way" in {line["event"] for line in erode.lines()}


def test_whom_nobody_answers_yet_is_not_the_one_who_makes_way(erode: ApplianceProcess) -> None:
    """A connection on which something was asked already keeps its place, and so does one that waits alone."""
    with socket.create_connection((erode.address, HTTP)) as patient:
        patient.sendall(b"GET /health HTTP/1.1\r\nHost: erode\r\n")
        with crowd(erode.address, HTTP):
            patient.sendall(b"\r\n")
            patient.settimeout(60)
            assert patient.recv(12) == b"HTTP/1.1 200"


@pytest.mark.parametrize("port", [DICOM, DICOM_TLS])
def test_a_modality_stores_at_once(erode: ApplianceProcess, tmp_path: Path, port: int) -> None:
    """It is known by its address since it came first."""
    file, other = ct_files(tmp_path / "ct", 2)
    root = root_file(erode, tmp_path)
    stores = {
        DICOM: lambda path: statuses(storescu(erode.address, path)) == ["Success"],
        DICOM_TLS: lambda path: dcmtk("storescu", erode, root, path, "-aet", "CT1").returncode == 0,
    }
    assert stores[port](file)
    with crowd(erode.address, port):
        assert stores[port](other)


def test_strangers_have_a_part_of_the_places_and_each_of_them_half_of_that() -> None:
    door = Door(Limits(places=10, of_one_address=6, of_strangers=4))
    assert [door.enter("10.0.0.1", is_known=False) for _ in range(3)] == [True, True, False]
    assert [door.enter("10.0.0.2", is_known=False) for _ in range(3)] == [True, True, False]
    assert not door.enter("10.0.0.3", is_known=False)
    assert [door.enter("10.0.0.9") for _ in range(7)] == [True] * 6 + [False]
    door.leave("10.0.0.1")
    assert [door.enter("10.0.0.3", is_known=False) for _ in range(2)] == [True, False]


def test_a_modality_is_known_by_the_settings_or_by_having_come() -> None:
    known = KnownAddresses(lambda: [CT1])
    assert CT1.host in known
    assert f"::ffff:{CT1.host}" in known
    assert "10.20.1.51" not in known
    known.add("10.20.1.51")
    assert "10.20.1.51" in known
