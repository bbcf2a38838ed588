"""Plays recorded calls against an embedded cloud.

The cloud's clock is wound: where a reply does not agree yet, the next event is let happen and an idempotent or
refused call is made again, so that the states of what takes time are seen in their order, and nothing sleeps.
"""

from __future__ import annotations

import json
import socket
import xmlrpc.client
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emulator.clock import WoundClock
from emulator.cloud import Cloud
from emulator.settings import Pace, Probe, Settings
from tests.emulator.recording import ALONE, DATA, alike, recorded
from tests.emulator.renumbering import Renumbering

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from pathlib import Path

    from tests.emulator.recording import Call

# What the recorded machine was told to do wrong, before a call.
MISHAPS: dict[tuple[str, int], str] = {
    ("09_vm_lifecycle", 147): "boot:fail@1",
    (ALONE, 52): "snapshot:fail",  # its dummy drivers had written none
}

# How long was waited before a call that changes what it then refuses, and so cannot be made again.
WAITS: dict[tuple[str, int], float] = {(ALONE, 72): 1.0}

RECORDED_AT = 1795201560.0  # templates carry times
HORIZON_S = 120.0  # how far the clock is wound for one call
MAX_EVENTS = 60


@dataclass
class Player:
    """Makes calls as the recorded users did."""

    cloud: Cloud
    secrets: dict[str, str] = field(default_factory=lambda: {"oneadmin": "opennebula"})
    old_secrets: dict[str, str] = field(default_factory=dict)
    ids: Renumbering | None = None

    def play(self, call: Call) -> Any:
        """The reply that agrees best: the clock is wound while a later one may."""
        wanted = alike(call.reply)
        session = self.session(call)
        told = self.ids.told(call) if self.ids else call
        until = self.cloud.clock.now() + HORIZON_S
        while self.cloud.advance(WAITS.get((call.file, call.seq), 0.0)):
            pass  # what takes no time has happened before the next call
        for _ in range(MAX_EVENTS):
            reply = self.call(told, session)
            if self.ids:
                reply = self.ids.heard(call, reply)
            agrees = alike(reply) == wanted
            if agrees or not self.may_repeat(call, reply) or not self.cloud.advance(until - self.cloud.clock.now()):
                break
        self.learn(told, reply)
        return reply

    def call(self, call: Call, session: str | None) -> Any:
        """Make a call, as XML-RPC over a socket."""
        params = call.params if session is None else [session, *call.params]
        body = xmlrpc.client.dumps(tuple(params), call.method, allow_none=True).encode()
        try:
            values, _ = xmlrpc.client.loads(post(self.cloud, body))
        except xmlrpc.client.Fault as fault:
            return {"faultCode": fault.faultCode, "faultString": fault.faultString}
        return values[0]

    @staticmethod
    def may_repeat(call: Call, reply: Any) -> bool:
        """Whether a call can be made again without doing anything twice."""
        kind = call.method.rpartition(".")[2]
        reads = kind.startswith("info") or kind in {"monitoring", "accounting"}
        return reads or (isinstance(reply, list) and reply[:1] == [False])

    def session(self, call: Call) -> str | None:
        """The session string of a recorded user."""
        if call.user is None:
            return None
        denied = isinstance(call.reply, list) and len(call.reply) == 5 and call.reply[2] == 256
        secret = self.secrets.get(call.user)
        if call.user in {"", "nocolon"}:
            return call.user
        if denied and (call.user in self.old_secrets or call.user == "oneadmin" or secret is None):
            return f"{call.user}:{self.old_secrets.get(call.user, 'wrong')}"
        return f"{call.user}:{secret}"

    def learn(self, call: Call, reply: Any) -> None:
        """Remember new passwords."""
        if not (isinstance(reply, list) and reply and reply[0] is True):
            return
        if call.method == "one.user.allocate":
            self.secrets[call.params[0]] = call.params[1]
        if call.method in {"one.user.passwd", "one.user.chauth"} and call.params[-1]:
            user = self.cloud.store.get("user", call.params[0])
            assert user is not None
            self.old_secrets[user.name] = self.secrets.get(user.name, "wrong")
            self.secrets[user.name] = call.params[-1]


def post(cloud: Cloud, body: bytes) -> bytes:
    """POST over a socket of its own."""
    with socket.create_connection(("127.0.0.1", cloud.port)) as connection:
        head = f"POST /RPC2 HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        answer = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    return answer.partition(b"\r\n\r\n")[2]


def recording_cloud(state: Path) -> Cloud:
    """A cloud on a machine like the recorded one."""
    host = state / "host"
    images = host / "var" / "tmp" / "images"
    (images / "shared_dir").mkdir(parents=True)
    (images / "os.raw").write_bytes(bytes(2 << 20))
    (images / "disk.qcow2").write_bytes(b"QFI\xfb" + bytes(20) + (64 << 20).to_bytes(8, "big"))
    (images / "vmlinuz").write_bytes(bytes(100))
    (host / "etc").mkdir()
    (host / "etc" / "hostname").write_text("front-end")
    (host / "bin").mkdir()
    (host / "bin" / "true").symlink_to("/bin/true")
    probe = Probe(**json.loads((DATA / "probe.json").read_text()))
    settings = Settings(
        state=state,
        driver="none",
        port=0,
        onegate=False,
        hosts=(),
        password="opennebula",
        probe=probe,
        datastore_mib=(258020, 61280, 42618),
        measured=False,
        hooks=host,
        pace=Pace(host_monitor_s=3600.0),  # the hosts were monitored once while it was recorded
    )
    return Cloud(settings, WoundClock(RECORDED_AT))


@dataclass
class Score:
    """How a file went."""

    total: int = 0
    agreed: int = 0
    excepted: int = 0
    differing: list[tuple[Call, Any]] = field(default_factory=list)

    @property
    def part(self) -> float:
        """Which part agreed, of the calls that have to."""
        return self.agreed / max(self.total, 1)

    def count(self, call: Call, reply: Any, *, agrees: bool, excepted: bool = False) -> None:
        """Count a call in."""
        self.total += 1
        self.agreed += agrees
        self.excepted += excepted and not agrees
        if not agrees and not excepted:
            self.differing.append((call, reply))


def prepare(cloud: Cloud, call: Call) -> None:
    """Let go wrong what went wrong before a call."""
    if (call.file, call.seq) in MISHAPS:
        cloud.faults.add(MISHAPS[call.file, call.seq])


def play_files(
    state: Path,
    names: list[str],
    exceptions: Container[tuple[str, int]] = (),
    told: Callable[[Call], Call] = lambda call: call,
    *,
    renumber: bool = False,
) -> dict[str, Score]:
    """Play files one after the other against one fresh cloud; `told` may tell each call otherwise."""
    scores: dict[str, Score] = {}
    with recording_cloud(state) as cloud:
        player = Player(cloud, ids=Renumbering.of(cloud) if renumber else None)
        for name in names:
            score = scores[name] = Score()
            for call in map(told, recorded(name)):
                prepare(cloud, call)
                reply = player.play(call)
                agrees = alike(reply) == alike(call.reply)
                score.count(call, reply, agrees=agrees, excepted=(name, call.seq) in exceptions)
    return scores
