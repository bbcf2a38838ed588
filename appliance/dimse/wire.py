"""The wire: a peer's socket, read in large pieces, acknowledged at once, and never believed about sizes."""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from pynetdicom.transport import AssociationSocket

if TYPE_CHECKING:
    from appliance.tls import Tls

#: What we announce as our largest PDU. DCMTK sends 128 KiB whatever more it may; larger ones fall out of the caches.
MAXIMUM_PDU_BYTES = 1 << 18

#: No PDU is longer: 128 proposed contexts of 60 transfer syntaxes each, or a P-DATA of the announced length.
_LIMIT_BYTES = 1 << 20

_HANDSHAKE_S = 10.0

#: How long the reactor sleeps on the socket before it looks for something to send.
_PATIENCE_MS = 5


class Wire(AssociationSocket):
    """
    A socket that wakes as soon as there is data, instead of being looked at every millisecond.

    TCP_QUICKACK is set after each receive: a DCMTK client leaves Nagle's algorithm on, and that against delayed
    acknowledgements costs 40 ms an instance (22 instances a second; with it 263).
    """

    @classmethod
    def over(cls, plain: AssociationSocket, timeout_s: float) -> Self:
        """The same connection, read this way; a peer that stops within a PDU is given up after the timeout."""
        wire = cls.__new__(cls)
        wire.__dict__.update(plain.__dict__)
        assert wire.socket is not None
        wire.socket.settimeout(timeout_s)
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return wire

    @property
    def ready(self) -> bool:
        """Whether there is data; waits for it a few milliseconds."""
        if self.socket is None or not self._is_connected:
            return False
        try:
            if isinstance(self.socket, ssl.SSLSocket) and self.socket.pending():
                return True  # decrypted already: the kernel has nothing left to wake us for
            poll = select.poll()
            poll.register(self.socket, select.POLLIN)
            return bool(poll.poll(_PATIENCE_MS))
        except (OSError, ValueError):
            self.event_queue.put("Evt17")  # PS3.8 9.2.2: the transport connection is closed
            return False

    def recv(self, nr_bytes: int) -> bytearray:
        """
        Read a number of bytes; fewer where the peer closed the connection.

        Raises
        ------
        OSError
            The peer announced a PDU that is longer than any may be, or stopped sending.
        """
        if nr_bytes > _LIMIT_BYTES:
            raise OSError(f"a PDU of {nr_bytes} bytes was announced, {MAXIMUM_PDU_BYTES} are allowed")
        assert self.socket is not None
        data = bytearray(nr_bytes)
        free = memoryview(data)
        while free:
            received = self.socket.recv_into(free)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            if not received:
                return data[: nr_bytes - len(free)]
            free = free[received:]
        return data

    def _shutdown_socket(self) -> None:
        """Close the socket also where it cannot be shut down, as after a reset; pynetdicom leaves it open then."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()


def shake_hands(tls: Tls, plain: socket.socket) -> ssl.SSLSocket:
    """
    The same connection over TLS; who connects and then says nothing is given up after 10 s. Closed where it fails.

    Raises
    ------
    OSError
        There is no certificate yet, or the caller does not accept it, or speaks something else.
    """
    context = tls.wrap()
    try:
        if context is None:
            raise ConnectionRefusedError("there is no certificate yet")
        plain.settimeout(_HANDSHAKE_S)
        return context.wrap_socket(plain, server_side=True)
    except OSError:
        plain.close()
        raise
