"""A cloud to provision, and an admin's desk: the embedded one, or a real front end where ONE_XMLRPC names it."""

from __future__ import annotations

import getpass
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from emulator.cloud import Cloud as EmbeddedCloud
from emulator.settings import Settings
from exchange.keys import BranchKeys
from exchange.stores import open_store
from provision.applying.apply import Applied, apply
from provision.declaring.reading import load, parse
from provision.desk import Desk
from provision.enrolling.enrolment import enrol
from provision.enrolling.identity import own_identity
from provision.opennebula import Cloud
from provision.planning.found import Found, found
from provision.planning.plan import Plan, plan
from provision.visit.host_keys import HostKeys
from provision.visit.shell import Machine
from provision.vm_state import state_name
from tests.exchange.sshd import Sshd, fingerprint
from tests.provision.backing_up import BACKUP
from tests.provision.branch_desk import BranchDesk
from tests.provision.moving import with_next_image
from tests.provision.reporting import report
from tests.provision.shell import EXAMPLES, Shell
from tests.provision.uploading import MIB
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provision.declaring.community import Community

EXAMPLE = EXAMPLES / "community.yaml"


@dataclass(frozen=True)
class Office:
    """An admin's office: a desk, a community, and the words for what is done there."""

    desk: Desk
    community: Community
    embedded: EmbeddedCloud
    folder: Path

    @property
    def exchange(self) -> Path:
        """The exchange, as the hosts have it."""
        return self.folder / "state" / "host" / "srv" / "exchange"

    @property
    def environment(self) -> dict[str, str]:
        """What tells `gurney` where the cloud is, and who is asking."""
        return {
            "ONE_XMLRPC": self.embedded.endpoint,
            "ONE_AUTH": str(self.folder / "state" / "one_auth"),
            "GURNEY_IDENTITY": str(self.desk.identity.path),
        }

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be this office's admin."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    def found(self) -> Found:
        return found(self.desk, self.community.community)

    def plan(self, text: str | None = None) -> Plan:
        return plan(parse(text) if text else self.community, self.found())

    def apply(self, text: str | None = None, **options: Any) -> Applied:
        return apply(self.desk, self.plan(text), **options)

    def until_running(self) -> None:
        """Wait until every appliance's VM runs."""

        def states() -> set[str]:
            return {state_name(vm) for vm in self.found().view.appliances.values()}

        until(lambda: states() <= {"RUNNING"}, "appliances that run")

    def cloud_as(self, auth: str) -> Cloud:
        """The same cloud as another account sees it."""
        return Cloud(self.embedded.endpoint, auth)

    def raw(self, method: str, *arguments: Any) -> Any:
        """One call as the service user."""
        return self.desk.cloud.call(method, *arguments)


@pytest.fixture
def new_office(tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """Makes offices, each with an embedded cloud of its own."""
    clouds: list[EmbeddedCloud] = []

    def make(name: str = "office", **settings: Any) -> Office:
        folder = tmp_path / name
        host = folder / "state" / "host"
        for place in ("srv/exchange", "var/tmp"):
            (host / place).mkdir(parents=True)
        (host / "var/tmp/gurney-appliance.qcow2").write_bytes(bytes(1 << 20))
        cloud = EmbeddedCloud(Settings(**{"state": folder / "state", "driver": "none", **settings})).start()
        clouds.append(cloud)
        store = open_store(str(host / "srv/exchange"))
        identity = own_identity(folder / "admin" / "identity.txt")
        identity.keep()
        desk = Desk(Cloud(cloud.endpoint, cloud.session), store, identity)
        return Office(desk, load(EXAMPLE), cloud, folder)

    yield make
    for cloud in clouds:
        cloud.stop()


@pytest.fixture
def office(new_office: Callable[..., Office]) -> Office:
    """One office."""
    return new_office()


@pytest.fixture
def example_text() -> str:
    """The example as text, to be changed."""
    return EXAMPLE.read_text()


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A real sshd, for the tests of one file."""
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    with server.running():
        yield server


@pytest.fixture
def machine(sshd: Sshd, tmp_path: Path) -> Machine:
    """What stands for a branch's machine that is visited: this one."""
    keys = HostKeys(tmp_path / "hosts")
    compared = fingerprint(sshd.host_key)
    return Machine("kongu.erode", "127.0.0.1", sshd.port, keys, sshd.identity, compared, getpass.getuser())


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of 8 MiB on the workstation."""
    path = tmp_path / "workstation" / "gurney.qcow2"
    path.parent.mkdir()
    path.write_bytes(random.Random(1).randbytes(8 * MIB))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder on the front end."""
    made = tmp_path / "front-end"
    made.mkdir()
    return made


@pytest.fixture
def shell(office: Office, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs `gurney` for the office."""
    office.enter(monkeypatch)
    return Shell(office, capsys)


@pytest.fixture
def keys(office: Office) -> BranchKeys:
    """Those of Erode's appliance, which is enrolled."""
    first = BranchKeys.generate()
    office.apply()
    report(office, "erode", first)
    enrol(office.desk, office.community)
    return first


@pytest.fixture
def new_desk(
    new_office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., BranchDesk]:
    """Makes offices where everything is applied, at whose desk `gurney branch` runs."""

    def make(**settings: object) -> BranchDesk:
        office = new_office(**settings)
        office.enter(monkeypatch)
        office.apply()
        return BranchDesk(office, capsys)

    return make


@pytest.fixture
def by_nfs(example_text: str) -> str:
    """The example, with folders that go to VMs by NFS."""
    return example_text.replace("driver: virtiofs", "driver: nfs\n  server: 10.20.0.9")


@pytest.fixture
def backed_up(by_nfs: str) -> str:
    """The same, with backups."""
    return by_nfs.replace("referrals:", BACKUP)


@pytest.fixture
def restart_text(example_text: str) -> str:
    """The example, with appliances that start again on another host."""
    text = example_text.replace("{images: default, system: system}", "{images: images, system: shared}")
    return text.replace("referrals:", "on_host_failure: restart\nreferrals:")


@pytest.fixture
def moved(office: Office, example_text: str) -> Community:
    """The same community, with another image, which lies on the front end."""
    return with_next_image(office, example_text)


@pytest.fixture
def enrolled(office: Office) -> Office:
    """An office whose appliances have reported their keys."""
    office.apply()
    office.until_running()
    for branch in ("erode", "salem", "karur"):
        report(office, branch, BranchKeys.generate())
    enrol(office.desk, office.community)
    return office
