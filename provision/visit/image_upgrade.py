"""One appliance is put on the image that the community file names: its root disk is replaced, its archive stays."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.errors import ExchangeError
from provision.applying.apply import apply
from provision.applying.holding import require_nobody_applies
from provision.applying.watch import Watch
from provision.enrolling.enrolment import enrol
from provision.errors import Busy, CloudChanged, CloudUnreachable, NotFinished, ProvisionError
from provision.kinds.appliance import wait_for_images
from provision.planning.found import found
from provision.planning.resource import Ref
from provision.visit.errors import NotServing, NotUpgraded
from provision.visit.rolling import declared_image, former_image, plan_to_bring, plan_with_images, present_images
from provision.visit.rounds import TROUBLE
from provision.visit.shell import BROKEN, shell_in
from provision.visit.upgrade import ALREADY, LEFT, UPGRADED, Upgraded, require_nobody_upgrades

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.fleet.branch_status import BranchStatus
    from provision.planning.found import Found
    from provision.planning.plan import Plan
    from provision.visit.far_side import FarSide, State
    from provision.visit.shell import Machine

PAUSE_S = 2.0
#: How long the image that served before may take: nothing is won by giving up on it.
BACK_S = 900.0


#: Trouble that may be over the next time.
PASSING = (ExchangeError, OSError, CloudUnreachable, NotFinished, Busy, CloudChanged)


class _NewerIndex(Exception):
    """An image is back whose version cannot read the index."""

    def __init__(self, schema: str) -> None:
        super().__init__(schema)
        self.schema = schema


@dataclass(frozen=True)
class Replacement:
    """What the replacement of root disks works with.

    Attributes
    ----------
    patience_s
        How long a machine may take from its start until it is ready.
    moved
        Says where a machine is once its VM was made anew.
    """

    desk: Desk
    community: Community
    far: FarSide
    patience_s: float
    moved: Callable[[Machine], Machine]

    def upgrade(self, branch: str, machine: Machine, tell: Callable[[str], None]) -> Upgraded:
        """
        Replace a branch's root disk.

        Raises
        ------
        NotUpgraded
            It was not done, and the image before serves.
        NotServing
            Nobody knows that it serves; the words say what its machine boots.
        """
        now, status = self._found(), self._status(branch)
        new, former = declared_image(self.community), former_image(self.community, now, branch)
        present = present_images(self.community, now)
        if why := _never_ready(now, status):
            key = present.get(branch, new).key
            return Upgraded(LEFT, key, key, why)
        plan = plan_with_images(self.community, now, present | {branch: new})
        if not any(step.ref == Ref("appliance", branch) for step in plan):
            self._stay(branch, plan, tell)
            return Upgraded(ALREADY, new.key, new.key)
        self._replace(branch, machine, plan, former, tell)
        return Upgraded(UPGRADED, former.key if former else "none", new.key)

    def _stay(self, branch: str, plan: Plan, tell: Callable[[str], None]) -> None:
        """It is on its image: what is left is to wait, and nothing is put back."""
        if plan:
            apply(self.desk, plan)
        self._wait(branch, self.patience_s, tell)

    def _replace(
        self, branch: str, machine: Machine, plan: Plan, former: Ref | None, tell: Callable[[str], None]
    ) -> None:
        before = None
        if any(step.ref.kind == "appliance" and step.action == "delete" for step in plan):
            self._bring(tell)
            self._require_nobody_applies()
            before = self._prepare(machine, tell)
        try:
            self._apply(machine, plan, tell)
            tell("boots from the new image")
            self._wait(branch, self.patience_s, tell)
        except NotUpgraded as error:
            self._require_way_back(machine, before, str(error))
            self._move_back(branch, machine, former, error, tell)

    def _bring(self, tell: Callable[[str], None]) -> None:
        """Have the new image ready before anything stops for it: an upload takes long, and a path may be wrong."""
        try:
            if plan := plan_to_bring(self.community, self._found()):
                tell("its new image is made")
                apply(self.desk, plan)
            image = self._found().resources.get(declared_image(self.community))
            wait_for_images(Watch(self.desk.cloud), {image.id} if image else set())
        except TROUBLE as error:
            raise NotUpgraded(f"the new image is not there, and nothing was stopped for it: {_words(error)}") from error

    def _require_nobody_applies(self) -> None:
        """Nothing stops for a replacement that would have to wait for another admin."""
        try:
            require_nobody_applies(self.desk, self.community.community)
        except Busy as error:
            raise NotUpgraded(f"nothing was stopped: {error}") from error

    def _prepare(self, machine: Machine, tell: Callable[[str], None]) -> State:
        """Let it take in nothing more: what it had acknowledged before, either disk can serve."""
        with shell_in(machine) as shell:
            before = self.far.state(shell)
            require_nobody_upgrades(before)
            with self._settling(machine):
                if before.under_way:
                    self.far.settle(shell)
                    before = self.far.state(shell)
                tell("stops taking in")
                self.far.prepare(shell)
        return before

    def _apply(self, machine: Machine, plan: Plan, tell: Callable[[str], None]) -> None:
        try:
            with self._settling(machine):
                tell("its root disk is replaced")
                apply(self.desk, plan)
        except TROUBLE as error:
            failed = NotServing if isinstance(error, NotServing) else NotUpgraded
            raise failed(f"its root disk could not be replaced: {_words(error)}") from error

    @contextmanager
    def _settling(self, machine: Machine) -> Iterator[None]:
        """Whatever ends it, Ctrl-C too: a machine that is still the one that was prepared takes in again."""
        try:
            yield
        except BaseException as error:
            settled = False
            with suppress(ProvisionError), shell_in(machine) as shell:
                self.far.settle(shell)
                settled = True
            if isinstance(error, (*TROUBLE, *BROKEN)) and not settled:
                raise NotServing(f"{_words(error)}: it could not be told to take in again") from error
            raise

    def _require_way_back(self, machine: Machine, before: State | None, reason: str) -> None:
        """Going back is safe while the new one is closed; once it has opened, only where the old one reads the index.

        A version that was installed over the image is removed when the new one opens with its own, and the index may be
        of that version. Where it serves still, it serves on either disk, or this is the disk that was never replaced.
        """
        try:
            with shell_in(self._present(machine)) as shell:
                now = self.far.state(shell)
        except ProvisionError:
            return  # it cannot be asked: should it have opened, the image before will tell
        if now.under_way or (before is not None and (now.schema, now.digest) == (before.schema, before.digest)):
            return
        raise NotServing(
            f"{reason}: it has answered in itself and opened, and is not put back, since the version before cannot "
            f"read its index ({now.schema}): see `gurney appliance logs`"
        )

    def _move_back(
        self, branch: str, machine: Machine, former: Ref | None, failed: NotUpgraded, tell: Callable[[str], None]
    ) -> None:
        reason = str(failed)
        if former is None:
            raise NotServing(f"{reason}: there is no image to go back to")
        if not self._insist(branch, former, "goes back to the image that it had", reason, tell):
            raise type(failed)(f"{reason}: it was not moved")
        try:
            self._wait(branch, max(self.patience_s, BACK_S), tell, lambda: self._require_its_index(machine))
        except _NewerIndex as error:
            new = declared_image(self.community)
            self._insist(branch, new, "goes to the new image again", reason, tell)
            raise NotServing(
                f"{reason}: it cannot be reached, but it had opened: image {former.key} cannot read its index "
                f"({error.schema}), and it is on the new one again: see its console"
            ) from None
        except NotUpgraded as error:
            raise NotServing(
                f"{reason}: rolled back to image {former.key}, which is not ready either: {error}. Its archive is "
                f"whole: see `gurney appliance console {branch}`, its host and its network; then `gurney appliance "
                f"upgrade --image {branch}` tries the new image again"
            ) from None
        raise NotUpgraded(f"{reason}: rolled back to image {former.key}, which is ready")

    def _insist(self, branch: str, image: Ref, words: str, reason: str, tell: Callable[[str], None]) -> bool:
        """Replace a root disk, also where the exchange or the cloud fails for a moment; False where there is no need.

        What was begun counts, though nothing be left of it: all may have been done before something failed.
        """
        since, begun, said = 0.0, False, ""
        while True:
            try:
                plan = self._plan_to(branch, image)
                if plan and not begun:
                    tell(words)
                begun = begun or any(step.ref == Ref("appliance", branch) for step in plan)
                apply(self.desk, plan)
            except TROUBLE as error:
                since = since or time.monotonic()  # the replacement itself may have taken longer
                if not isinstance(error, PASSING) or time.monotonic() > since + self._patience_with(error):
                    raise NotServing(f"{reason}: and it could not be put on another image: {_words(error)}") from error
                if _words(error) != said:
                    said = _words(error)
                    tell(said)
                time.sleep(PAUSE_S)
            else:
                return begun

    def _patience_with(self, error: Exception) -> float:
        """How long it is tried again; the branch does not serve meanwhile, and another admin's apply may take long."""
        return max(self.patience_s, BACK_S) if isinstance(error, Busy) else self.patience_s

    def _plan_to(self, branch: str, image: Ref) -> Plan:
        """What puts one branch on an image, whatever its machine says."""
        now = self._found()
        return plan_with_images(self.community, now, present_images(self.community, now) | {branch: image})

    def _require_its_index(self, machine: Machine) -> None:
        """Nothing is waited for where an image is back that cannot read what was taken in meanwhile."""
        with suppress(ProvisionError), shell_in(self._present(machine)) as shell:
            now = self.far.state(shell)
            if not now.reads_its_index:
                raise _NewerIndex(now.schema)

    def _wait(
        self, branch: str, limit_s: float, tell: Callable[[str], None], look: Callable[[], None] = lambda: None
    ) -> None:
        """Wait until it is ready, taking up what it reports."""
        end, said = time.monotonic() + limit_s, ""
        while wrong := self._wrong(branch):
            look()
            if wrong != said:
                tell(wrong)
            if time.monotonic() > end:
                raise NotServing(f"its machine is not ready after {limit_s:.0f} s: {wrong}")
            said = wrong
            time.sleep(PAUSE_S)

    def _wrong(self, branch: str) -> str:
        """What it waits for; empty where it is ready."""
        try:
            status = self._status(branch)
        except TROUBLE as error:
            return str(error)
        return "" if status.ready else status.words

    def _status(self, branch: str) -> BranchStatus:
        return next(each for each in enrol(self.desk, self.community).branches if each.name == branch)

    def _present(self, machine: Machine) -> Machine:
        """Where it is now; where nobody can say, it is looked for where it was."""
        with suppress(*TROUBLE):
            return self.moved(machine)
        return machine

    def _found(self) -> Found:
        return found(self.desk, self.community.community)


def _never_ready(now: Found, status: BranchStatus) -> str:
    """Why nobody can wait until a branch is ready, whatever its image; empty where one can."""
    if status.revoked:
        return "it is revoked"
    by_hand = f"it is not enrolled yet, and the cloud has no OneGate: gurney branch enrol {status.name}"
    return "" if status.enrolled or now.pools.has_onegate else by_hand


def _words(error: Exception) -> str:
    """What went wrong; whose steps failed need not hear of `apply`, which would move all branches at once."""
    return "; ".join(error.failures) if isinstance(error, NotFinished) else str(error)
