"""What is spoken at an address, TLS or plain HTTP: whoever typed the other one can be told."""

from __future__ import annotations

import socket
import ssl

REQUEST = b"GET / HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n"
HTTP = b"HTTP/1."
#: What web servers answer to plain HTTP at a port of TLS: that is no sign of plain HTTP.
BAD_REQUEST = b"400"


def speaks_http(host: str, port: int, timeout_s: float) -> bool:
    """Whether plain HTTP is answered there."""
    try:
        with socket.create_connection((host, port), timeout_s) as connection:
            connection.sendall(REQUEST % host.encode("ascii"))
            line = connection.recv(len(HTTP) + 5)
    except OSError:
        return False
    return line.startswith(HTTP) and line[len(HTTP) + 2 :] != BAD_REQUEST


def speaks_tls(host: str, port: int, timeout_s: float) -> bool:
    """Whether TLS is answered there; nobody is believed to be anybody by it, and nothing is said."""
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), timeout_s) as connection,
            anybody.wrap_socket(connection, server_hostname=host),
        ):
            return True
    except OSError:
        return False
