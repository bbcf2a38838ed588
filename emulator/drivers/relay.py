"""One connection of a virtual machine to the cloud's OneGate: what qemu starts as `python relay.py ADDRESS PORT`."""

from __future__ import annotations

import os
import socket
import sys
import threading

PIECE = 1 << 16


def relay(address: str, port: int) -> None:
    """Carry standard input to a port, and its answer to standard output."""
    with socket.create_connection((address, port)) as connection:
        sender = threading.Thread(target=_send, args=(connection,), daemon=True)
        sender.start()
        while piece := connection.recv(PIECE):
            view = memoryview(piece)
            while view:
                view = view[os.write(1, view) :]


def _send(connection: socket.socket) -> None:
    while piece := os.read(0, PIECE):
        connection.sendall(piece)
    connection.shutdown(socket.SHUT_WR)


if __name__ == "__main__":
    relay(sys.argv[1], int(sys.argv[2]))
