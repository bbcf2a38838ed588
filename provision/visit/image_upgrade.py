"""One appliance is put on the image that the community file names: its root disk is exchanged, its archive stays."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.apply import apply
from provision.enrolment import enrol
from provision.errors import ProvisionError
from provision.found import found
from provision.visit.errors import NotUpgraded
from provision.visit.rolling import declared_image, former_image, plan_with_images, present_images
from provision.visit.shell import shell_in
from provision.visit.upgrade import ALREADY, UPGRADED, Upgraded

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.community import Community
    from provision.desk import Desk
    from provision.found import Found
    from provision.plan import Plan
    from provision.resource import Ref
    from provision.visit.far_side import FarSide
    from provision.visit.shell import Machine

PAUSE_S = 2.0
#: How long the image that served before may take: nothing is won by giving up on it.
BACK_S = 900.0


@dataclass(frozen=True)
class Exchange:
    """What the exchange of root disks works with.

    Attributes
    ----------
    patience_s
        How long a machine may take from its start until it is ready.
    """

    desk: Desk
    community: Community
    far: FarSide
    patience_s: float

    def upgrade(self, branch: str, machine: Machine, tell: Callable[[str], None]) -> Upgraded:
        """
        Exchange a branch's root disk.

        Raises
        ------
        NotUpgraded
            The new one did not become ready; the words say what serves now.
        """
        now = self._found()
        new, former = declared_image(self.community), former_image(self.community, now, branch)
        plan = plan_with_images(self.community, now, present_images(self.community, now) | {branch: new})
        if not plan and self._wrong(branch) == "":
            return Upgraded(ALREADY, new.key, new.key)
        try:
            self._move(branch, machine, plan, tell)
        except NotUpgraded as error:
            self._move_back(branch, former, str(error), tell)
        return Upgraded(UPGRADED, former.key if former else "none", new.key)

    def _move(self, branch: str, machine: Machine, plan: Plan, tell: Callable[[str], None]) -> None:
        if any(step.ref.kind == "appliance" and step.action == "delete" for step in plan):
            self._prepare(machine, tell)
        if plan:
            tell("its root disk is exchanged")
            self._apply(machine, plan)
        tell("boots from the new image")
        self._wait(branch, self.patience_s, tell)

    def _apply(self, machine: Machine, plan: Plan) -> None:
        """Exchange it; a machine that is still the one that was prepared takes in again."""
        try:
            apply(self.desk, plan)
        except ProvisionError as error:
            with suppress(ProvisionError), shell_in(machine) as shell:
                self.far.settle(shell)
            raise NotUpgraded(f"its root disk could not be exchanged: {error}") from error

    def _prepare(self, machine: Machine, tell: Callable[[str], None]) -> None:
        """Let it take in nothing more: what it had acknowledged before, either disk can serve."""
        tell("stops taking in")
        with shell_in(machine) as shell:
            if self.far.state(shell).under_way:
                self.far.settle(shell)
            self.far.prepare(shell)

    def _move_back(self, branch: str, former: Ref | None, reason: str, tell: Callable[[str], None]) -> None:
        if former is None:
            raise NotUpgraded(f"{reason}: there is no image to go back to")
        tell("goes back to the image that it had")
        now = self._found()
        apply(self.desk, plan_with_images(self.community, now, present_images(self.community, now) | {branch: former}))
        try:
            self._wait(branch, max(self.patience_s, BACK_S), tell)
        except NotUpgraded as error:
            raise NotUpgraded(
                f"{reason}: rolled back to image {former.key}, which is not ready either: {error}"
            ) from None
        raise NotUpgraded(f"{reason}: rolled back to image {former.key}, which is ready")

    def _wait(self, branch: str, limit_s: float, tell: Callable[[str], None]) -> None:
        """Wait until it is ready, taking up what it reports."""
        end, said = time.monotonic() + limit_s, ""
        while wrong := self._wrong(branch):
            if wrong != said:
                tell(wrong)
            if time.monotonic() > end:
                raise NotUpgraded(f"its machine is not ready after {limit_s:.0f} s: {wrong}")
            said = wrong
            time.sleep(PAUSE_S)

    def _wrong(self, branch: str) -> str:
        """What it waits for; empty where it is ready."""
        try:
            enrolment = enrol(self.desk, self.community)
        except ProvisionError as error:
            return str(error)
        status = next(each for each in enrolment.branches if each.name == branch)
        return "" if status.ready else status.words

    def _found(self) -> Found:
        return found(self.desk, self.community.community)
