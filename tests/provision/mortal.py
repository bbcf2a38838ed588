"""An admin's client that dies in the midst of an apply."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.applying.apply import apply
from provision.desk import Desk
from provision.opennebula import Cloud
from provision.planning.marks import Mark
from templates.rendering import render

if TYPE_CHECKING:
    from provision.planning.plan import Plan
    from tests.provision.conftest import Office


TEXT = (Path(__file__).parents[2] / "docs" / "examples" / "community.yaml").read_text()

ALL = frozenset({"erode", "salem", "karur"})


class MortalCloud(Cloud):
    """A cloud whose client dies, by SIGKILL, right before or right after its nth changing call has been made."""

    def __init__(self, endpoint: str, auth: str, *, last: int, before: bool) -> None:
        super().__init__(endpoint, auth)
        self.left = last
        self.before = before

    def call(self, method: str, *arguments: Any) -> Any:
        if "info" in method or method.startswith("system."):
            return super().call(method, *arguments)
        self.left -= 1
        if self.before and self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = super().call(method, *arguments)
        if self.left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def apply_and_die(office: Office, the_plan: Plan, last: int, *, before: bool) -> bool:
    """Apply in a process of its own that dies; whether it did."""
    child = os.fork()
    if child == 0:
        try:
            cloud = MortalCloud(office.embedded.endpoint, office.embedded.session, last=last, before=before)
            apply(Desk(cloud, office.desk.store, office.desk.identity), the_plan, allow=ALL)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


ONE_BRANCH = TEXT[: TEXT.index("  salem:")]


def announced(office: Office, place: str) -> None:
    """What an admin left who was cut off, at some place: this one, or another whose name is the same."""
    text = render(
        "applying",
        resource_name="kongu.applying",
        mark=Mark("kongu", "applying", ""),
        admin="anita",
        host=socket.gethostname(),
        process="4194305@1",  # one more than a process's number can be (proc_sys_kernel(5), pid_max)
        started="2026-11-20T08:00:00+00:00",
        place=place,
        making="kongu.erode",
        undoing="",
        token="0",
    )
    office.raw("document.lock", office.raw("document.allocate", text, 1204), 4, True)
