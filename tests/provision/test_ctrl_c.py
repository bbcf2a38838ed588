"""Ctrl-C while the image is on its way to the front end: it ends soon, and nothing is changed once the lock is gone."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from emulator.faults import Faults
from provision.declaring.reading import parse
from provision.upload.front_end import CHUNK
from provision.upload.uploads import Uploads
from tests.provision.mortal import ONE_BRANCH
from tests.provision.reserving import OWN, RESERVED, hospitals
from tests.provision.uploading import MIB, address
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provision.upload.sending import Sent
    from tests.exchange.sshd import Sshd
    from tests.provision.conftest import Office


@pytest.fixture(autouse=True)
def wakeable() -> Iterator[None]:
    """A signal that comes just before the main thread begins to wait is seen at the next one only."""
    before = signal.signal(signal.SIGWINCH, lambda _number, _frame: None)
    yield
    signal.signal(signal.SIGWINCH, before)


def press(taken: Callable[[], bool]) -> None:
    """Press Ctrl-C once, and see it taken note of."""

    def woken() -> bool:
        os.kill(os.getpid(), signal.SIGWINCH)
        return taken()

    os.kill(os.getpid(), signal.SIGINT)
    until(woken, "what Ctrl-C does")


def waits_for_its_steps() -> bool:
    """Whether the apply waits in the main thread for its steps to end."""
    frames = traceback.walk_stack(sys._current_frames()[threading.main_thread().ident or 0])
    return any(frame.f_code is threading.Thread.join.__code__ for frame, _ in frames)


def uploading(office: Office, sshd: Sshd, image: Path, folder: Path, watch: Callable[[Sent], None]) -> Office:
    """The office of one branch, whose image lies at the workstation."""
    place = office.folder / "state" / "host" / str(folder).lstrip("/")
    place.parent.mkdir(parents=True)
    place.symlink_to(folder)
    office.raw("datastore.update", 1, f'SAFE_DIRS="/var/tmp {folder}"', 1)
    text = ONE_BRANCH.replace("/var/tmp/gurney-appliance.qcow2", f"{folder}/{image.name}")
    uploads = Uploads(address(sshd), image.parent)
    uploads.on_progress = lambda _name, sent: watch(sent)
    return replace(office, community=parse(text), desk=replace(office.desk, uploads=uploads))


def os_images(office: Office) -> int:
    return sum(node.number("TYPE") == 0 for node in office.found().pools.nodes["image"])


class PressedAt(Faults):
    """Ctrl-C is pressed while the first call of a method is on its way: it is done afterwards."""

    def __init__(self, call: str) -> None:
        super().__init__()
        self.call = call

    def strike(self, method: str) -> frozenset[str]:
        """Nothing strikes."""
        if method == self.call:
            self.call = ""
            press(waits_for_its_steps)
        return frozenset()


def documents(office: Office) -> list[str]:
    return [node.name for node in office.found().pools.nodes["document"] if "applying" in node.name]


def steps_at_work() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ThreadPoolExecutor")]


def test_once_ends_the_upload_and_the_next_apply_goes_on_from_there(
    office: Office,
    sshd: Sshd,
    image: Path,
    folder: Path,
) -> None:
    seen: list[int] = []

    def watch(sent: Sent) -> None:
        if not seen and sent.done:
            seen.append(sent.done)
            press(waits_for_its_steps)
        elif seen:
            seen.append(sent.done)

    office = uploading(office, sshd, image, folder, watch)
    with pytest.raises(KeyboardInterrupt):
        office.apply()
    (part,) = [each for each in folder.iterdir() if each.suffix == ".part"]
    came = part.stat().st_size
    assert seen == [seen[0]]
    assert came <= seen[0] + CHUNK < 8 * MIB, "the piece that was in hand"
    assert (os_images(office), documents(office), steps_at_work()) == (0, [], [])
    began: list[int] = []
    assert office.desk.uploads is not None
    office.desk.uploads.on_progress = lambda _name, sent: began.append(sent.done)
    assert not office.apply().after
    assert began[0] == came


def test_twice_lets_nothing_be_changed_after_the_lock_is_gone(
    office: Office,
    sshd: Sshd,
    image: Path,
    folder: Path,
) -> None:
    """The last piece has been sent, and no look is taken any more before the image would be made."""

    def watch(sent: Sent) -> None:
        if sent.done == sent.total:
            press(waits_for_its_steps)
            press(lambda: not documents(office))

    office = uploading(office, sshd, image, folder, watch)
    with pytest.raises(KeyboardInterrupt):
        office.apply()
    assert documents(office) == []
    until(lambda: not steps_at_work(), "the end of all steps")
    assert os_images(office) == 0
    assert office.desk.uploads is not None
    office.desk.uploads.on_progress = lambda _name, _sent: None
    assert not office.apply().after


EVE = ("staff: {dr.mala", "admins: {eve: {}}\n    staff: {dr.mala")


@pytest.mark.parametrize(
    ("call", "change"), [("group.allocate", EVE), ("user.allocate", EVE), ("vn.reserve", (OWN, RESERVED))]
)
def test_what_is_marked_by_a_second_call_is_marked(
    new_office: Callable[..., Office], example_text: str, call: str, change: tuple[str, str]
) -> None:
    """Nobody would know it again: the next apply would take it for another's of the same name."""
    office = new_office()
    hospitals(office)
    text = example_text.replace(*change)
    office.embedded.faults = PressedAt(call)
    with pytest.raises(KeyboardInterrupt):
        office.apply(text)
    assert office.desk.cloud.calls["template.instantiate"] == 0, "it was stopped early"
    assert not office.plan(text).obstacles
    assert not office.apply(text).after
