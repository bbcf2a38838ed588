"""The HTTP and HTTPS servers: uvicorn in a thread, on a socket that is bound before anything else depends on it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import uvicorn

from appliance.errors import ApplianceError
from appliance.http_connection import Entrance, HttpConnection, Loop
from appliance.peer import PlainPeers

if TYPE_CHECKING:
    import ssl

_BACKLOG = 256
_STOP_S = 2.0


class WebServer:
    """
    Serves an ASGI application on one address.

    Parameters
    ----------
    tls
        What is shown to clients; None for HTTP in clear.

    Raises
    ------
    ApplianceError
        The port is taken, or the address is not this machine's.
    """

    def __init__(self, app: Any, address: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._socket = Entrance.over(_bound(address, port))
        config = uvicorn.Config(
            PlainPeers(app),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            http=HttpConnection.at(self._socket),
            loop=f"{Loop.__module__}:{Loop.__name__}",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        config.load()
        config.ssl = tls  # uvicorn's own options name files, which it reads once
        self._server = uvicorn.Server(config)  # outside the main thread it leaves signals alone
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="http", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being answered, for a second, and close."""
        self._server.should_exit = True
        self._thread.join(_STOP_S)
        self._socket.close()


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise ApplianceError(f"HTTP cannot listen on {address}:{port}: {error.strerror}") from error
    return bound
