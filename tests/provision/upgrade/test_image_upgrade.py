"""What the admin's side does when replacing a root disk fails: it goes back only where that cannot harm the index."""

from __future__ import annotations

import fcntl
import threading
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from emulator.faults import Faults
from emulator.settings import Pace
from exchange.errors import Unreachable
from exchange.keys import BranchKeys
from provision.declaring.reading import parse
from provision.enrolling.enrolment import enrol
from provision.enrolling.revocation import revoke
from provision.errors import ProvisionError
from provision.visit.errors import NotServing, NotUpgraded, Unsettled
from provision.visit.far_side import FarSide
from provision.visit.image_upgrade import Replacement
from provision.visit.rolling import declared_image, former_image, present_images
from tests.exchange.sshd import Sshd, fingerprint
from tests.provision.mortal import announced
from tests.provision.moving import IMAGE, NEXT, move, vms, with_next_image
from tests.provision.reporting import report
from tests.provision.upgrade.standin import MIGRATION, OLD, in_service, program_wheel
from tests.provision.upgrade.test_cut_off import NAMES, stage
from tests.provision.upgrade.test_replacement import NEW, Disks, disks
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from exchange.store import Writer
    from provision.declaring.community import Community
    from provision.visit.shell import Machine
    from tests.provision.conftest import Office
    from tests.provision.upgrade.standin import Admin, StandIn

__all__ = ["disks"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Line:
    """The admin's way to the appliance: an sshd that can be away for a while."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.sshd, self.running = Sshd(folder), ExitStack()
        self.mend()

    def machine(self, machine: Machine) -> Machine:
        """The same machine, reached by this line."""
        compared = fingerprint(self.sshd.host_key)
        return replace(machine, port=self.sshd.port, identity=self.sshd.identity, compared=compared)

    def cut(self) -> None:
        self.running.close()

    def mend(self) -> None:
        self.running.enter_context(self.sshd.running())


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    made = Line(tmp_path / "line")
    with made.running:
        yield made


def replacement(office: Office, community: Community, guest: StandIn) -> Replacement:
    return Replacement(office.desk, community, FarSide(str(guest.root), guest.address), 0.1, there)


def there(machine: Machine) -> Machine:
    """It is where it was."""
    return machine


def silent(_words: str) -> None:
    pass


def applying(office: Office) -> list[str]:
    """The Documents of applies that stand."""
    return [node.name for node in office.found().pools.nodes["document"] if node.name == "kongu.applying"]


def test_disk_that_has_opened_a_newer_index_is_not_taken_away(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks
) -> None:
    disks.make(NEW, MIGRATION)
    before = vms(office)["erode"]

    def boots(words: str) -> None:
        if words == "boots from the new image":
            disks.put_in(NEW)
            disks.boot()
            assert guest.upgrade("judge") == (0, [{"opened": True}])

    with pytest.raises(NotServing, match=r"opened, and is not put back.*\(9001\)"):
        replacement(office, moved, guest).upgrade("erode", admin.machine, boots)
    assert vms(office)["erode"] != before
    assert present_images(moved, office.found())["erode"] == declared_image(moved)


def test_disk_that_has_opened_at_another_address_is_not_taken_away(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks, line: Line
) -> None:
    """The new VM has another address, as in the embedded cloud, and nobody is where the old one was."""
    disks.make(NEW, MIGRATION)

    def boots(words: str) -> None:
        if words == "boots from the new image":
            disks.put_in(NEW)
            disks.boot()
            assert guest.upgrade("judge") == (0, [{"opened": True}])
            line.cut()

    going = replace(replacement(office, moved, guest), moved=lambda _machine: admin.machine)
    with pytest.raises(NotServing, match=r"opened, and is not put back.*\(9001\)"):
        going.upgrade("erode", line.machine(admin.machine), boots)
    assert present_images(moved, office.found())["erode"] == declared_image(moved)


def test_disk_that_has_not_opened_is_taken_away(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provision.visit.image_upgrade.BACK_S", 0.1)
    with pytest.raises(NotUpgraded, match=f"rolled back to image {declared_image(office.community).key}"):
        replacement(office, moved, guest).upgrade("erode", admin.machine, silent)
    assert present_images(moved, office.found())["erode"] == declared_image(office.community)


#: All steps are done, and then the cloud hangs up once.
NOT_WITHDRAWN = "document.unlock:drop@1"


@pytest.mark.parametrize("fault", [None, NOT_WITHDRAWN], ids=["at once", "the cloud fails when all is done"])
def test_disk_that_has_opened_and_cannot_be_reached_is_put_in_again(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks, line: Line, fault: str | None
) -> None:
    """Nobody can be asked whether it has opened; the old disk, which can, finds an index that it cannot read."""
    disks.make(NEW, MIGRATION)

    def follow(words: str) -> None:
        if words == "boots from the new image":
            disks.put_in(NEW)
            disks.boot()
            assert guest.upgrade("judge") == (0, [{"opened": True}])
            line.cut()
        if words == "goes back to the image that it had":
            guest.systemctl("stop")
            disks.put_in(OLD)
            disks.boot()
            line.mend()
        if words.startswith("goes ") and fault:
            office.embedded.faults = Faults([fault])

    with pytest.raises(NotServing, match=r"it had opened: image .* cannot read its index \(9001\)"):
        replacement(office, moved, guest).upgrade("erode", line.machine(admin.machine), follow)
    assert present_images(moved, office.found())["erode"] == declared_image(moved)
    assert guest.schema == "9001"
    assert guest.rows(NAMES) == [("changed by the migration",)], "what it has taken in is untouched"
    assert applying(office) == []


def test_desk_that_is_ended_lets_the_appliance_take_in_again(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks
) -> None:
    def end(words: str) -> None:
        if words == "its root disk is replaced":
            assert guest.health() is None
            raise KeyboardInterrupt

    before = vms(office)
    with pytest.raises(KeyboardInterrupt):
        replacement(office, moved, guest).upgrade("erode", admin.machine, end)
    until(lambda: in_service(guest, OLD))
    assert vms(office) == before


def test_nothing_stops_before_the_new_image_can_be_used(
    new_office: Callable[..., Office], example_text: str, admin: Admin, guest: StandIn, disks: Disks
) -> None:
    """It is sent, and read by the front end, while the branch works."""
    office = new_office(pace=Pace(image_s=2.0))
    moved, states = with_next_image(office, example_text), list[int]()

    def end(words: str) -> None:
        if words == "stops taking in":
            assert guest.health() is not None
            images = office.found()
            standing = images.resources[declared_image(moved)].node
            states.extend([standing.number("STATE")] if standing else [])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replacement(office, moved, guest).upgrade("erode", admin.machine, end)
    assert states == [1]


@pytest.mark.parametrize("fault", [None, "image:fail"], ids=["no such file", "it cannot be read"])
def test_nothing_stops_for_an_image_that_cannot_be_made(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks, fault: str | None
) -> None:
    before, heard = vms(office), list[str]()
    if fault is None:
        (office.folder / "state/host/var/tmp" / NEXT).unlink()
    else:
        office.embedded.faults = Faults([fault])
    with pytest.raises(
        NotUpgraded, match=r"the new image is not there, and nothing was stopped for it: .*image"
    ) as told:
        replacement(office, moved, guest).upgrade("erode", admin.machine, heard.append)
    assert "Run apply again" not in str(told.value)
    assert not isinstance(told.value, Unsettled)
    assert heard == ["its new image is made"]
    assert vms(office) == before
    assert guest.log().count("stopping") == 0
    assert in_service(guest, OLD)


def test_machine_that_cannot_be_prepared_is_not_said_to_be_rolled_back(
    office: Office, moved: Community, admin: Admin, tmp_path: Path
) -> None:
    before = vms(office)
    with pytest.raises(NotUpgraded) as refusal:
        Replacement(office.desk, moved, FarSide(str(tmp_path / "none")), 0.1, there).upgrade(
            "erode", admin.machine, silent
        )
    assert "rolled back" not in str(refusal.value)
    assert not isinstance(refusal.value, Unsettled)
    assert vms(office) == before


@pytest.mark.parametrize(("lost", "settled"), [("usr/bin/systemd-run", True), ("opt/gurney/current/bin/python", False)])
def test_branch_that_could_not_be_prepared_is_known_to_serve_only_where_it_was_told_to(
    office: Office, moved: Community, admin: Admin, guest: StandIn, lost: str, settled: bool
) -> None:
    before = vms(office)

    def breaks(words: str) -> None:
        if words == "stops taking in":
            (guest.root / lost).unlink()

    with pytest.raises(ProvisionError) as told:
        replacement(office, moved, guest).upgrade("erode", admin.machine, breaks)
    assert isinstance(told.value, Unsettled) is not settled
    assert vms(office) == before


def test_branch_on_its_image_that_is_not_ready_stays_there(office: Office, moved: Community, admin: Admin) -> None:
    move(office, moved, ["erode"])
    before = vms(office)
    assert former_image(moved, office.found(), "erode") is not None
    with pytest.raises(NotServing, match="not ready after"):
        Replacement(office.desk, moved, FarSide(), 0.1, there).upgrade("erode", admin.machine, silent)
    assert vms(office) == before


@pytest.mark.parametrize("why", ["it is revoked", "it is not enrolled yet"])
def test_branch_that_can_never_be_ready_is_left_alone(
    new_office: Callable[..., Office], example_text: str, admin: Admin, why: str
) -> None:
    office = new_office(onegate=why == "it is revoked")
    office.apply()
    office.until_running()
    if why == "it is revoked":
        report(office, "erode", BranchKeys.generate())
        enrol(office.desk, office.community)
        assert revoke(office.desk, "kongu", ["erode"])
    before = vms(office)
    left = Replacement(office.desk, parse(example_text.replace(IMAGE, NEXT)), FarSide(), 0.1, there)
    done = left.upgrade("erode", admin.machine, silent)
    assert str(done).startswith(f"left on {declared_image(office.community).key}: {why}")
    assert done.outcome == "left"
    assert vms(office) == before


class Failing:
    """The exchange, which fails when it is looked into for so many times."""

    def __init__(self, store: Writer, times: int) -> None:
        self._store, self.times = store, times

    def __getattr__(self, name: str) -> Any:
        if name == "list" and self.times:
            self.times -= 1
            raise Unreachable("the exchange does not answer")
        return getattr(self._store, name)


def test_an_exchange_that_fails_for_a_moment_is_no_reason_to_leave_it_as_it_is(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails while the new disk is waited for, and again when the old one is put in."""
    monkeypatch.setattr("provision.visit.image_upgrade.BACK_S", 0.1)
    store = Failing(office.desk.store, 0)
    going = replacement(replace(office, desk=replace(office.desk, store=cast("Writer", store))), moved, guest)
    heard: list[str] = []

    def tell(words: str) -> None:
        heard.append(words)
        if words in {"boots from the new image", "it does not answer yet"}:
            store.times = 1

    with pytest.raises(NotServing, match=r"rolled back to image .* Its archive is whole: see `gurney appliance con"):
        replace(going, patience_s=5.0).upgrade("erode", admin.machine, tell)
    assert "the exchange does not answer" in heard
    assert present_images(moved, office.found())["erode"] == declared_image(office.community)


def test_a_cloud_that_fails_when_all_is_done_does_not_hide_that_it_went_back(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("provision.visit.image_upgrade.BACK_S", 0.1)
    heard: list[str] = []

    def tell(words: str) -> None:
        heard.append(words)
        if words == "goes back to the image that it had":
            office.embedded.faults = Faults([NOT_WITHDRAWN])

    with pytest.raises(NotServing, match=r"rolled back to image .*, which is not ready either"):
        replacement(office, moved, guest).upgrade("erode", admin.machine, tell)
    assert [words for words in heard if "document.unlock" in words]
    assert heard.count("goes back to the image that it had") == 1
    assert present_images(moved, office.found())["erode"] == declared_image(office.community)
    assert applying(office) == []


@pytest.mark.parametrize("installed", [False, True], ids=["the image's own", "a version installed over it"])
def test_a_machine_that_was_never_moved_is_not_said_to_be_though_the_cloud_failed_twice(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks, tmp_path: Path, *, installed: bool
) -> None:
    if installed:
        assert guest.upgrade("install", str(stage(guest, program_wheel(tmp_path, "0.2.0"))))[0] == 0
    before, heard = vms(office), []

    def tell(words: str) -> None:
        heard.append(words)
        if words == "its root disk is replaced":
            office.embedded.faults = Faults(["document.allocate:drop@1", "documentpool.info:drop@2"])

    with pytest.raises(NotUpgraded, match=r"could not be replaced: .*: it was not moved") as told:
        replacement(office, moved, guest).upgrade("erode", admin.machine, tell)
    assert not isinstance(told.value, Unsettled), "it takes in again"
    assert [words for words in heard if "documentpool.info" in words]
    until(lambda: in_service(guest, "0.2.0" if installed else OLD))
    assert vms(office) == before


def test_a_version_that_the_new_disk_has_removed_does_not_come_back(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks, tmp_path: Path
) -> None:
    """The new disk opened with its own version, of the same tables; what was installed over the old one is gone."""
    assert guest.upgrade("install", str(stage(guest, program_wheel(tmp_path, "0.2.0"))))[0] == 0
    disks.make(NEW, {})

    def boots(words: str) -> None:
        if words == "boots from the new image":
            disks.put_in(NEW)
            disks.boot()
            assert guest.upgrade("judge") == (0, [{"opened": True}])

    with pytest.raises(NotServing, match=r"opened, and is not put back"):
        replacement(office, moved, guest).upgrade("erode", admin.machine, boots)
    assert present_images(moved, office.found())["erode"] == declared_image(moved)


def test_a_branch_where_another_upgrade_runs_is_left_to_it(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks
) -> None:
    before, heard = vms(office), list[str]()
    with (guest.programs / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NotUpgraded, match=r"^another upgrade of this appliance is under way") as told:
            replacement(office, moved, guest).upgrade("erode", admin.machine, heard.append)
    assert not isinstance(told.value, Unsettled), "it was not touched, and the round goes on"
    assert "stops taking in" not in heard
    assert in_service(guest, OLD)
    assert vms(office) == before


def withdraw(office: Office) -> None:
    """The other admin has done."""
    for node in office.found().pools.nodes["document"]:
        if node.name == "kongu.applying":
            office.raw("document.unlock", node.id)
            office.raw("document.delete", node.id)


def test_another_admin_who_applies_is_no_reason_to_give_up_the_way_back(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks
) -> None:
    """The hospital is down: whoever holds the lock is waited for, longer than the new image was."""
    heard: list[str] = []
    over = threading.Timer(3.0, withdraw, (office,))

    def tell(words: str) -> None:
        heard.append(words)
        if words == "boots from the new image":
            announced(office, "another")
        if words.startswith("another admin applies: anita"):
            over.start()
        elif "goes back to the image that it had" in heard[:-1]:
            raise KeyboardInterrupt  # it is on its way: none of these machines becomes ready

    with pytest.raises(KeyboardInterrupt):
        replacement(office, moved, guest).upgrade("erode", admin.machine, tell)
    over.join()
    assert len([words for words in heard if words.startswith("another admin applies")]) == 1
    assert present_images(moved, office.found())["erode"] == declared_image(office.community)


def test_nothing_stops_while_another_admin_applies(
    office: Office, moved: Community, admin: Admin, guest: StandIn, disks: Disks
) -> None:
    move(office, moved, ["salem"])  # the new image is there
    before, heard = vms(office), list[str]()
    announced(office, "another")
    with pytest.raises(NotUpgraded, match=r"^nothing was stopped: another admin applies: anita") as told:
        replacement(office, moved, guest).upgrade("erode", admin.machine, heard.append)
    assert not isinstance(told.value, Unsettled)
    assert heard == []
    assert guest.log().count("stopping") == 0
    assert vms(office) == before
