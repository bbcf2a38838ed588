"""One PC that connects again and again and says nothing, or half of something: the others are served all the same."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.appliance.community import Community
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import ct_files, echoscu, statuses, storescu
from tests.appliance.tls import CT1, DICOM, DICOM_TLS, HTTP, HTTPS, curl, dcmtk, root_file
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The PC with the malware; what a test itself asks comes from 127.0.0.1.
SILENT_ADDRESS = "127.0.0.66"
CONNECTIONS = 1100

#: What systemd gives where a unit says nothing.
DESCRIPTORS = 1024


@pytest.fixture(scope="module")
def erode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApplianceProcess]:
    """An appliance with as many descriptors as a process usually has."""
    folder = tmp_path_factory.mktemp("silence")
    process = ApplianceProcess(folder / "erode", Community(folder / "exchange"))
    try:
        process.start(prefix=("prlimit", f"--nofile={DESCRIPTORS}:{DESCRIPTORS}")).enrol(CT1)
        until(lambda: (process.health() or {}).get("secure") is True)
        yield process
    finally:
        process.kill()


@contextmanager
def silent(address: str, port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections from one other address on which nothing is said."""
    held: list[socket.socket] = []
    try:
        for _ in range(count):
            held.append(socket.socket())
            held[-1].setblocking(False)
            held[-1].bind((SILENT_ADDRESS, 0))
            held[-1].connect_ex((address, port))
        yield held
    finally:
        for connection in held:
            connection.close()


def is_over(connection: socket.socket) -> bool:
    """Whether the other side has closed it."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def turned_away(appliance: ApplianceProcess) -> list[str]:
    """What the log tells of the PC, so that whoever looks for it finds it."""
    return [
        line["event"]
        for line in appliance.lines()
        if line["event"] == "turned away" and line["address"] == SILENT_ADDRESS
    ]


def descriptors(appliance: ApplianceProcess) -> int:
    assert appliance.process is not None
    return len(list(Path(f"/proc/{appliance.process.pid}/fd").iterdir()))


@pytest.mark.parametrize("port", [HTTP, HTTPS, DICOM, DICOM_TLS])
def test_1100_silent_connections_of_one_pc_leave_the_others_served(
    erode: ApplianceProcess, tmp_path: Path, port: int
) -> None:
    (file,) = ct_files(tmp_path / "ct", 1)
    root, told = root_file(erode, tmp_path), len(turned_away(erode))
    with silent(erode.address, port, CONNECTIONS):
        until(lambda: len(turned_away(erode)) > told)
        assert erode.health() is not None
        assert curl(erode, root).returncode == 0
        assert dcmtk("echoscu", erode, root).returncode == 0
        assert statuses(storescu(erode.address, file)) == ["Success"]
        assert descriptors(erode) < DESCRIPTORS // 2
    assert len(turned_away(erode)) < told + 10, "a line a minute: knocking does not fill the disk"
    assert "Too many open files" not in erode.log.read_text()


def test_a_place_is_free_again_when_its_connection_has_ended(erode: ApplianceProcess) -> None:
    for port in (HTTP, DICOM):
        with silent(erode.address, port, CONNECTIONS):
            pass
    at = httpx.HTTPTransport(local_address=SILENT_ADDRESS)

    def is_served() -> bool:
        try:
            with httpx.Client(transport=at, trust_env=False, timeout=30) as client:
                return client.get(f"http://{erode.address}:{HTTP}/health").status_code == 200
        except httpx.HTTPError:
            return False

    until(is_served)
    assert echoscu(erode.address) == 0


#: On which port what is said before nothing more is: nothing, no handshake, half a head, half a body.
BEGUN = [
    (HTTP, b""),
    (HTTPS, b""),
    (HTTP, b"GET /health HTTP/1.1\r\nHost: er"),
    (HTTP, b"POST /api/session HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"),
]


@pytest.mark.slow
def test_who_stops_in_the_middle_is_given_up(erode: ApplianceProcess) -> None:
    with ExitStack() as open_:
        begun = [open_.enter_context(socket.create_connection((erode.address, port))) for port, _ in BEGUN]
        slow = open_.enter_context(socket.create_connection((erode.address, HTTP)))
        for connection, (_, said) in zip(begun, BEGUN, strict=True):
            connection.sendall(said)
        slow.sendall(b"GET /health HTTP/1.1\r\nX-Slow: ")

        def are_given_up() -> bool:
            with suppress(OSError):
                slow.send(b"a")  # a byte now and then says that somebody is there, and would hold its place for ever
            return all(map(is_over, [*begun, slow]))

        until(are_given_up)
    assert erode.health() is not None


START = b"POST /api/session HTTP/1.1\r\nHost: erode\r\nContent-Type: application/json\r\n"

#: What begins a request, and what of it never ends: its address, lines of its head, one of them, what comes after its
#: body, what it says of a piece of its body; or requests that do not wait for an answer.
ENDLESS = {
    "address": (b"GET /", b"a"),
    "head": (START, b"a:b\r\n"),
    "line": (START + b"X: ", b"a"),
    "trailers": (START + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"a:b\r\n"),
    "piece": (START + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a"),
    "requests": (b"", b"GET /health HTTP/1.1\r\nHost: erode\r\n\r\n"),
}
ENDLESS_BYTES = 16 << 20


def resident_mib(appliance: ApplianceProcess) -> int:
    assert appliance.process is not None
    status = Path(f"/proc/{appliance.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) // 1024


def sent_until_cut(connection: socket.socket, begin: bytes, again: bytes) -> int:
    """How many bytes were taken before the other side hung up; all there are, where it did not."""
    piece, sent = again * (65536 // len(again)), 0
    try:
        connection.sendall(begin)
        while sent < ENDLESS_BYTES:
            connection.sendall(piece)
            sent += len(piece)
    except OSError:
        pass
    return sent


@pytest.mark.parametrize("what", ENDLESS)
def test_what_never_ends_is_cut_off_and_fills_no_memory(erode: ApplianceProcess, what: str) -> None:
    assert erode.health() is not None
    before = resident_mib(erode)
    with socket.create_connection((erode.address, HTTP), timeout=60) as connection:
        assert sent_until_cut(connection, *ENDLESS[what]) < ENDLESS_BYTES
        assert resident_mib(erode) - before < 32
    assert erode.health() is not None
    assert any(line["event"] == "cut off" for line in erode.lines())


def test_an_empty_line_after_an_answer_holds_no_place(erode: ApplianceProcess) -> None:
    with socket.create_connection((erode.address, HTTP), timeout=60) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: erode\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"\r\n")
        until(lambda: is_over(connection))


def test_what_is_slow_and_goes_on_is_answered(erode: ApplianceProcess, tmp_path: Path) -> None:
    """A request whose body comes in pieces over TLS, on a connection that was used before."""
    trust = ssl.create_default_context(cafile=root_file(erode, tmp_path))
    with httpx.Client(verify=trust, trust_env=False, timeout=60) as client:
        place = f"https://{erode.address}:{HTTPS}"
        assert client.get(f"{place}/health").status_code == 200
        pieces = (piece for piece in (b'{"login": "nobody", ', b'"password": "', b'wrong"}'))
        answer = client.post(f"{place}/api/session", content=pieces, headers={"Content-Type": "application/json"})
        assert answer.status_code == 401
