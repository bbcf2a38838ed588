"""A scene played through on a cloud that is there for it: a host loses its power, or an archive is deleted."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from provision.applying.watch import Watch
from provision.errors import Blocked, CloudError
from provision.fleet.rehearsal import branches_on
from provision.kinds.ending import RECOVER_DELETE
from provision.planning.resource import Ref
from provision.pools import POOLS, elements
from provision.vm_state import POWEROFF, host_of, state_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from provision.desk import Desk
    from provision.node import Node
    from provision.planning.found import Found

PAUSE_S, LIMIT_S = 0.1, 60.0


@dataclass(frozen=True)
class Played:
    """What came of a scene.

    Attributes
    ----------
    seconds
        Until all appliances ran again, or until it was clear that they do not by themselves.
    back
        Whether they ran again by themselves.
    hosts
        Branch to the host on which its appliance runs now.
    """

    seconds: float
    back: bool
    hosts: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The play for programs."""
        return asdict(self)


def play_host(
    desk: Desk, found: Found, name: str, power: tuple[Callable[[str], None], Callable[[str], None]],
    say: Callable[[str], None], patience_s: float = 60.0,
) -> Played:  # fmt: skip
    """Let a host lose its power, see what becomes of its appliances, and give it back; those left behind are started.

    Parameters
    ----------
    power
        What takes a host's power, and what gives it back.
    patience_s
        How long to wait for them to run elsewhere.

    Raises
    ------
    Blocked
        When no appliance runs on a host of that name.
    """
    host = found.pools.named("host", name)
    branches = branches_on(found, host) if host is not None else ()
    if not branches:
        raise Blocked([f"no appliance of {found.community} runs on a host {name!r}"])
    vms = {branch: found.view.appliances[branch].id for branch in branches}
    cut, restore = power
    cut(name)
    say(f"{name} has lost its power: {', '.join(branches)}")
    try:
        seconds, back = _seen(
            desk, vms, lambda vm: vm is not None and _runs(vm) and host_of(vm) != name, say, patience_s
        )
    finally:
        restore(name)
        say(f"{name} has power again")
    if not back:
        _start(desk, vms.values(), say, patience_s)
    return Played(seconds, back, {branch: host_of(vm) for branch, vm in _now(desk, vms).items() if vm is not None})


def lose_archive(desk: Desk, found: Found, branch: str) -> None:
    """Take a branch's archive away, with the appliance that uses it.

    Raises
    ------
    Blocked
        When the branch has no archive.
    """
    archive, vm = found.resources.get(Ref("archive", branch)), found.view.appliances.get(branch)
    if archive is None:
        raise Blocked([f"{branch!r} has no archive"])
    watch = Watch(desk.cloud)
    if vm is not None:
        desk.cloud.call("vm.recover", vm.id, RECOVER_DELETE)
        watch.until("vm", {vm.id}, _is_gone, what="the VM to end", limit_s=LIMIT_S)
    if archive.spec.locked:
        desk.cloud.call("image.unlock", archive.id)
    desk.cloud.call("image.delete", archive.id, False)
    watch.until("image", {archive.id}, _is_gone, what="the archive to go", limit_s=LIMIT_S)


def _seen(
    desk: Desk, vms: Mapping[str, int], done: Callable[[Node | None], bool], say: Callable[[str], None], limit_s: float
) -> tuple[float, bool]:
    """Look until all VMs are as wanted; how long it took, and whether it came about."""
    began, told = time.monotonic(), dict.fromkeys(vms, "")
    while True:
        now = _now(desk, vms)
        for branch, vm in now.items():
            words = f"{state_name(vm)} on {host_of(vm)}" if vm is not None else "gone"
            if told[branch] != words:
                say(f"{time.monotonic() - began:6.1f} s  {branch}: {words}")
            told[branch] = words
        seconds = time.monotonic() - began
        if all(done(vm) for vm in now.values()):
            return seconds, True
        if seconds > limit_s:
            return seconds, False
        time.sleep(PAUSE_S)


def _now(desk: Desk, vms: Mapping[str, int]) -> dict[str, Node | None]:
    call, arguments, tag = POOLS["vm"]
    nodes = {node.id: node for node in elements(desk.cloud.read(call, *arguments), tag)}
    return {branch: nodes.get(number) for branch, number in vms.items()}


def _runs(vm: Node | None) -> bool:
    return vm is not None and state_name(vm) == "RUNNING"


def _is_gone(node: Node | None) -> bool:
    return node is None


def _start(desk: Desk, numbers: Iterable[int], say: Callable[[str], None], limit_s: float) -> None:
    """Start what the host's return found powered off, as its admin would."""
    for number in numbers:
        told = {"": number}
        _seen(desk, told, lambda vm: vm is not None and (_runs(vm) or vm.number("STATE") == POWEROFF), say, limit_s)
        vm = _now(desk, told)[""]
        if vm is not None and not _runs(vm):
            try:
                desk.cloud.call("vm.action", "resume", number)
            except CloudError as error:
                say(str(error))
        _seen(desk, told, _runs, lambda _: None, limit_s)
