"""Whoever types https:// for a front end of plain HTTP, or the other way round, is told so, and soon."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from emulator.cloud import Cloud as EmbeddedCloud
from emulator.settings import Settings
from provision.errors import CloudUnreachable, WrongAccess
from provision.opennebula import Cloud

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: As nginx answers plain HTTP at a port of TLS.
REFUSAL = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that nobody trusts, and its key."""
    made = tmp_path / "made.pem", tmp_path / "made.key"
    words = ("req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=127.0.0.1", "-days", "1")
    subprocess.run(["openssl", *words, "-out", made[0], "-keyout", made[1]], check=True, capture_output=True)
    return made


@pytest.fixture
def openssl(certificate: tuple[Path, Path]) -> Iterator[int]:
    """The port of OpenSSL's own server, which speaks TLS alone."""
    words = ("s_server", "-accept", "127.0.0.1:0", "-cert", certificate[0], "-key", certificate[1])
    with subprocess.Popen(["openssl", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = next(line for line in server.stdout if line.startswith("ACCEPT"))
        yield int(line.rpartition(":")[2])
        server.kill()


@pytest.fixture
def proxy(certificate: tuple[Path, Path]) -> Iterator[int]:
    """The port of a server that speaks TLS, and tells in clear whoever does not that it is wrong."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(ssl.SSLError):  # a client that does not trust it
                    if connection.recv(1, socket.MSG_PEEK) == b"\x16":
                        tls.wrap_socket(connection, server_side=True).close()
                    else:
                        connection.recv(65536)
                        connection.sendall(REFUSAL)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def said_by(address: str, timeout_s: float = 60) -> str:
    with pytest.raises(CloudUnreachable) as told:
        Cloud(address, "me:secret", timeout_s=timeout_s).call("system.version")
    assert address in str(told.value)
    return str(told.value)


def test_tls_is_asked_of_a_front_end_of_plain_http(tmp_path: Path) -> None:
    """One that waits for the rest of what it takes for a request, as the embedded cloud and oned do."""
    with EmbeddedCloud(Settings(state=tmp_path / "cloud", driver="none", port=0)) as cloud:
        said = said_by(cloud.endpoint.replace("http://", "https://"))
    assert "speaks plain HTTP, without TLS: the address has to begin with http://" in said


@pytest.mark.parametrize("server", ["openssl", "proxy"])
def test_plain_http_is_asked_of_a_server_of_tls(server: str, request: pytest.FixtureRequest) -> None:
    said = said_by(f"http://127.0.0.1:{request.getfixturevalue(server)}/RPC2")
    assert "speaks TLS: the address has to begin with https://" in said


@pytest.mark.parametrize("server", ["openssl", "proxy"])
def test_a_certificate_that_nobody_trusts_is_told_as_such(server: str, request: pytest.FixtureRequest) -> None:
    assert "certificate verify failed" in said_by(f"https://127.0.0.1:{request.getfixturevalue(server)}/RPC2")


def test_a_server_that_says_nothing_at_all_is_no_server_of_http() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = said_by(f"https://127.0.0.1:{silent.getsockname()[1]}/RPC2", timeout_s=0.3)
    assert "does not answer" in said
    assert "HTTP" not in said


def test_a_server_of_tls_that_takes_its_time_is_waited_for(
    certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handshake goes on after the look: what is refused here in the end is the certificate."""
    monkeypatch.setattr("provision.wire.SILENCE_S", 0.2)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificate)
    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as other:

        def slow() -> None:
            first, second = listening.accept()[0], listening.accept()[0]  # the call, and then the look
            second.close()
            with first, contextlib.suppress(ssl.SSLError):
                tls.wrap_socket(first, server_side=True)

        done = other.submit(slow)
        assert "certificate verify failed" in said_by(f"https://127.0.0.1:{listening.getsockname()[1]}/RPC2")
        done.result()


def test_a_password_in_an_address_is_not_repeated() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(CloudUnreachable) as told:
        Cloud(f"http://me:secret@127.0.0.1:{port}/RPC2", "me:other").call("system.version")
    assert f"http://127.0.0.1:{port}/RPC2 does not answer" in str(told.value)
    with pytest.raises(WrongAccess) as wrong:
        Cloud("http://me:secret@front-end:x/RPC2", "me:other")
    assert "secret" not in str(wrong.value)
