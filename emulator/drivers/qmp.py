"""What qemu is told and asked while it runs, over its control socket (QEMU Machine Protocol)."""

from __future__ import annotations

import json
import os
import socket
from typing import TYPE_CHECKING, Any

from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TextIO

ANSWER_S = 3.0


def tell(place: Path, order: str, *, patience_s: float = ANSWER_S, **arguments: object) -> Any:
    """
    Give qemu an order, and return its answer.

    Parameters
    ----------
    place
        The socket on which it listens.
    patience_s
        How long each of its answers may take: a busy host does not hurry.

    Raises
    ------
    OSError
        Nobody listens there, or nobody answers in time.
    EmulatorError
        qemu refuses, or the connection ends.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(patience_s)
        _connect(connection, place)
        with connection.makefile("rw", encoding="utf-8") as lines:
            lines.readline()  # the greeting
            _ask(lines, "qmp_capabilities", {})
            return _ask(lines, order, arguments)


def _connect(connection: socket.socket, place: Path) -> None:
    """By a name that is short, wherever the socket lies: a socket's path has 107 bytes at most (unix(7))."""
    folder = os.open(place.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        connection.connect(f"/proc/self/fd/{folder}/{place.name}")
    finally:
        os.close(folder)


def _ask(lines: TextIO, order: str, arguments: dict[str, object]) -> Any:
    """Send an order and wait for its answer; events may stand between."""
    lines.write(json.dumps({"execute": order, "arguments": arguments}) + "\n")
    lines.flush()
    while (line := lines.readline()).endswith("\n"):
        answer = json.loads(line)
        if "error" in answer:
            raise EmulatorError(f"qemu refuses {order}: {answer['error']['desc']}")
        if "return" in answer:
            return answer["return"]
    raise EmulatorError(f"qemu ended before it answered {order}")
