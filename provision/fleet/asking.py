"""One question to an appliance over HTTP: how long the whole answer may take, and how large it may be."""

from __future__ import annotations

import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from provision.http_answer import NotHttp, read_answer

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    from provision.http_answer import Answer

#: The largest answer that is read: an appliance's own word has some 400 bytes.
MAX_BYTES = 1 << 16


def answer_of(address: str, port: int, path: str, trust: ssl.SSLContext | None, timeout_s: float) -> Answer:
    """What an address answers to GET.

    Parameters
    ----------
    address
        IPv4 or IPv6.
    trust
        Who has to vouch for it over TLS; None to ask in clear.
    timeout_s
        How long all of it may take, from the connection to the last byte.

    Raises
    ------
    NotHttp
        When what answers is not HTTP, or larger than `MAX_BYTES`.
    OSError
        When nothing answers, not in time, or nobody who is vouched for.
    """
    end, count = time.monotonic() + timeout_s, 0
    with _connected(address, port, trust, end) as connection:

        def receive(size: int) -> bytes:
            nonlocal count
            connection.settimeout(_left(end))
            piece = connection.recv(size)
            count += len(piece)
            if count > MAX_BYTES:
                raise NotHttp(f"an answer of more than {MAX_BYTES >> 10} KiB")
            return piece

        host = f"[{address}]" if ":" in address else address
        lines = (f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "User-Agent: gurney", "Connection: close", "", "")
        connection.settimeout(_left(end))
        connection.sendall("\r\n".join(lines).encode("ascii"))
        return read_answer(receive)


@contextmanager
def _connected(address: str, port: int, trust: ssl.SSLContext | None, end: float) -> Iterator[socket.socket]:
    with socket.create_connection((address, port), _left(end)) as plain:
        if trust is None:
            yield plain
            return
        with trust.wrap_socket(plain, server_hostname=address, do_handshake_on_connect=False) as secure:
            secure.settimeout(_left(end))
            secure.do_handshake()
            yield secure


def _left(end: float) -> float:
    """The seconds that are left of a time."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
