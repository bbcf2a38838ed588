"""What can go wrong: for whoever runs the embedded cloud, and for a client of its API."""

from __future__ import annotations

from enum import IntEnum


class EmulatorError(Exception):
    """The embedded cloud cannot do what its owner asked (a busy port, a broken state folder...)."""


class Code(IntEnum):
    """The third element of a failed reply, as OpenNebula numbers it."""

    AUTHENTICATION = 256
    AUTHORIZATION = 512
    NO_EXISTS = 1024
    ACTION = 2048
    API = 4096
    INTERNAL = 8192
    ALLOCATE = 16384


class Refused(EmulatorError):
    """A call that OpenNebula answers with a failure.

    Parameters
    ----------
    code
        Which kind of failure.
    text
        OpenNebula's words, without the leading `[one.x.y]`.
    oid
        Id of the object that does not exist, else -1.
    spends
        Counter whose next number is lost all the same, where OpenNebula makes an object before it refuses it.
    keeps
        Whether what was done until then stays done.
    """

    def __init__(self, code: Code, text: str, oid: int = -1, spends: str = "", *, keeps: bool = False) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.oid = oid
        self.spends = spends
        self.keeps = keeps


class Fault(EmulatorError):
    """A call that XML-RPC itself answers with a fault, such as -506 for an unknown method."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
