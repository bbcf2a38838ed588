"""Several addresses that take all places of a port and say nothing: who has something to say is served all the same."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from pynetdicom import AE

from appliance.dimse.callers import KnownAddresses
from appliance.door import Door, Limits
from tests.appliance.community import Community
from tests.appliance.hospital import ct
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import echoscu
from tests.appliance.tls import CT1, DICOM, DICOM_TLS, HTTP, HTTPS, root_file
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom.dataset import FileDataset

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


#: Not where this machine's own clients come from, which are known without having come.
SCANNER = "127.0.9.1"


def stored(erode: ApplianceProcess, dataset: FileDataset, port: int, trust: ssl.SSLContext) -> int:
    """The status of a C-STORE that comes from the scanner's address."""
    entity = AE("CT1")
    entity.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    tls = (trust, erode.address) if port == DICOM_TLS else None
    association = entity.associate(
        erode.address,
        port,
        ae_title="ERODE",
        bind_address=(SCANNER, 0),
        tls_args=tls,  # type: ignore[arg-type]
    )
    try:
        return int(association.send_c_store(dataset).Status)
    finally:
        association.release()


@pytest.mark.parametrize("port", [DICOM, DICOM_TLS])
def test_a_modality_stores_at_once(erode: ApplianceProcess, tmp_path: Path, port: int) -> None:
    """It is known by its address since it came first."""
    first, other = ct(count=2)
    trust = ssl.create_default_context(cafile=root_file(erode, tmp_path))
    assert stored(erode, first, port, trust) == 0
    with crowd(erode.address, port):
        assert stored(erode, other, port, trust) == 0


def test_this_machine_itself_is_answered_where_no_modality_ever_was(erode: ApplianceProcess) -> None:
    """As the upgrade is, which asks for an echo before it believes in a new version."""
    with crowd(erode.address, DICOM):
        assert echoscu(erode.address, caller="GURNEY") == 0


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
    assert [own in known for own in ("127.0.0.1", "::1", "127.0.7.1")] == [True, True, False]
