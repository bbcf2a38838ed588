"""How an appliance's VM is ended: never in a way that could lose what its host has of its archive.

Where OpenNebula keeps disks on the hosts, EPILOG carries the archive back to its image, which takes as long as it is
large. Deleting a VM by force (`recover` 3) gives that up; ending it the hard way does not.

References: OpenNebula src/dm/DispatchManagerActions.cc `terminate`, src/lcm/LifeCycleActions.cc `clean_up_vm`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from provision.errors import CloudError
from provision.kinds.image import ERROR, take_back
from provision.node import vectors
from provision.vm_state import ACTIVE, DONE, STILL, state_name, state_words

if TYPE_CHECKING:
    from provision.kind import Act
    from provision.node import Node

#: How long a guest may take to shut itself down.
PATIENCE_S = 90.0
#: How long a VM may stay as it is after it was told something; one that goes back to where it was is given up then.
SETTLED_S = 10.0
#: How long a VM may be on its way: an archive of 2 TB is carried over a network of 1 Gbit/s in five hours.
LIMIT_S = 12 * 3600.0
#: How often it is said that a VM is still on its way.
TELL_S = 30.0

#: `one.vm.recover`: deletes a VM whatever its state, and what its host has of its disks.
RECOVER_DELETE = 3
TERMINATE, HARD = ("vm.action", "terminate"), ("vm.action", "terminate-hard")
SUCCEED, RETRY, DELETE = (("vm.recover", operation) for operation in (1, 2, RECOVER_DELETE))
#: What ends a VM, by its state: one after the other, each once. A VM that cannot boot is ended as one that runs, so
#: that its disks are carried back: it may have run on another host. Nothing of it is anywhere while its first disks
#: are brought: it is deleted.
WAYS = {
    "RUNNING": (TERMINATE, HARD),
    "UNKNOWN": (TERMINATE, HARD),
    "SHUTDOWN": (HARD,),
    "BOOT_FAILURE": (SUCCEED,),
    "BOOT_MIGRATE_FAILURE": (SUCCEED,),
    "BOOT_STOPPED_FAILURE": (SUCCEED,),
    "BOOT_UNDEPLOY_FAILURE": (SUCCEED,),
    "PROLOG_FAILURE": (DELETE,),
}

ADVICE = (
    "its host may have the only whole copy of its archive: mend what is named and apply again; onevm recover --delete "
    "gives up what is on the host"
)


def end(act: Act, vm: Node) -> None:
    """End a VM, with its persistent images whole and ready.

    Raises
    ------
    CloudError
        When it does not end, and more force could lose what its archive holds.
    """
    ending = Ending(act, vm.id, vm.name)
    ending.wait("")
    while (now := ending.seen) is not None:
        ending.take(now)
        ending.wait(state_name(now))
    if DELETE in ending.taken:
        _take_images_back(act, vm)


@dataclass
class Ending:
    """A VM that is ended: as it was seen last, None when it is gone, and what it was told."""

    act: Act
    number: int
    name: str
    seen: Node | None = None
    taken: list[tuple[str, object]] = field(default_factory=list)

    def take(self, now: Node) -> None:
        """Tell the VM the next thing that ends it from where it is."""
        state = state_name(now)
        ways = WAYS.get(state, (RETRY,) if state.endswith("FAILURE") else (TERMINATE,))
        way = next((each for each in ways if each not in self.taken), None)
        if way is None:
            words = f"it is {state_words(now)}, and does not end"
            raise CloudError("one.vm.action", words, subject=f"VM {self.name} ({self.number})", advice=ADVICE)
        self.taken.append(way)
        method, what = way
        self.act.call(method, *((what, self.number) if method == "vm.action" else (self.number, what)))

    def wait(self, before: str) -> None:
        """Wait until the VM is gone or stands still, in another state than before or for good; or has had its time."""
        over = partial(self._is_over, before=before, begun=time.monotonic(), told=[time.monotonic()])
        self.act.watch.until("vm", {self.number}, over, what="the VM to end", limit_s=LIMIT_S)

    def _is_over(self, vm: Node | None, *, before: str, begun: float, told: list[float]) -> bool:
        self.seen = vm if vm is not None and vm.number("STATE") != DONE else None
        if self.seen is None:
            return True
        state, now = state_name(self.seen), time.monotonic()
        if self.seen.number("STATE") == ACTIVE and not state.endswith(STILL):
            if now > told[-1] + TELL_S:
                told.append(now)
                self.act.tell(f"{self.name} ends: {state} for {now - begun:.0f} s")
            return state == "SHUTDOWN" and HARD not in self.taken and now > begun + PATIENCE_S
        return state != before or now > begun + SETTLED_S


def _take_images_back(act: Act, vm: Node) -> None:
    """Make the persistent images ready again that OpenNebula put in ERROR since their VM was deleted."""
    persistent = (disk for disk in vectors(vm.attributes(), "DISK") if disk.get("PERSISTENT", "").upper() == "YES")
    for number in sorted({int(disk["IMAGE_ID"]) for disk in persistent if disk.get("IMAGE_ID", "").isdigit()}):
        image = act.desk.cloud.read("image.info", number, False)
        if image.number("STATE") == ERROR:
            take_back(act, number, locked=image.number("LOCK/LOCKED", 0) > 0)
