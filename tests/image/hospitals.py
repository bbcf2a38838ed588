"""Two hospitals whose appliances are virtual machines of the embedded cloud, and what a test does with them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyone

from cli.demo.branch import Branch, Login, Session
from emulator.drivers.qemu_network import seen_port
from exchange.stores import open_store
from provision.applying.apply import apply
from provision.declaring.reading import load, parse
from provision.desk import Desk
from provision.enrolling.enrolment import wait_until_ready
from provision.enrolling.identity import own_identity
from provision.opennebula import Cloud
from provision.planning.found import found
from provision.planning.plan import plan
from tests.image.building import link
from tests.image.shell import Shell, make_key
from tests.image.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

COMMUNITY = Path(__file__).parent / "community.yaml"
READY_WITHIN_S = 1500
RUNNING, DONE, POWEROFF = (3, 3), (6, 0), (8, 0)


@dataclass
class Hospital:
    """One branch: its VM, its page, its people."""

    name: str
    vm_id: int
    address: str
    branch: Branch
    logins: dict[str, Login] = field(default_factory=dict)

    @contextlib.contextmanager
    def session(self, login: str) -> Iterator[Session]:
        session = self.branch.session(self.logins[login])
        with contextlib.closing(session.client):
            yield session

    def store(self, *files: Path, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Send files as the branch's CT does, to the port that DICOM has everywhere."""
        caller = ["storescu", "-xs", "-aet", "CT1", "-aec", self.name.upper()]
        command = [*caller, self.address, str(seen_port(104)), *map(str, files)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)

    def smb(
        self, login: Login, commands: str, *options: str, share: str = "pictures"
    ) -> subprocess.CompletedProcess[str]:
        """Open a shared folder as another program does."""
        command = [*self._smbclient(login, share), *options, "-c", commands]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    @contextlib.contextmanager
    def smb_open(self, login: Login) -> Iterator[subprocess.Popen[str]]:
        """A session of the shared folder that stays open, and takes commands."""
        pipe = subprocess.PIPE
        process = subprocess.Popen(self._smbclient(login), stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def _smbclient(self, login: Login, share: str = "pictures") -> list[str]:
        place, who = f"//{self.address}/{share}", f"{login.name}%{login.password}"
        return ["smbclient", place, "-p", str(seen_port(445)), "-U", who, "-m", "SMB3"]


@dataclass
class Village:
    """The cloud and the hospitals."""

    state: Path
    cloud: Any
    key: Path
    hospitals: dict[str, Hospital]
    desk: Desk

    def declare(self, text: str) -> None:
        """Apply another community file, and wait until the appliances know of it."""
        community = parse(text)
        apply(self.desk, plan(community, found(self.desk, community.community)))
        enrolment = wait_until_ready(self.desk, community, timeout_s=READY_WITHIN_S)
        assert enrolment.ready, enrolment.branches

    def shell(self, hospital: Hospital) -> Shell:
        """A root shell in an appliance."""
        return Shell(hospital.address, seen_port(22), self.key)

    def run(self, hospital: Hospital, command: str) -> str:
        return self.shell(hospital).run(command)

    def state_of(self, hospital: Hospital) -> tuple[int, int]:
        vm = self.cloud.vm.info(hospital.vm_id)
        return vm.STATE, vm.LCM_STATE

    def power_off(self, hospital: Hospital, *, hard: bool) -> None:
        self.cloud.vm.action("poweroff-hard" if hard else "poweroff", hospital.vm_id)
        until(lambda: self.state_of(hospital) == POWEROFF, "power off")

    def power_on(self, hospital: Hospital) -> None:
        self.press(hospital)
        self.until_it_answers(hospital)

    def press(self, hospital: Hospital) -> None:
        """Switch it on; it boots meanwhile."""
        self.cloud.vm.action("resume", hospital.vm_id)

    def until_it_answers(self, hospital: Hospital) -> None:
        until(lambda: bool(hospital.branch.health()), "health")

    def folder(self, hospital: Hospital) -> Path:
        """The VM's folder on the host."""
        return self.state / "vms" / str(hospital.vm_id)


@contextlib.contextmanager
def village(state: Path, image: Path) -> Iterator[Village]:
    """Declare, apply and enrol two hospitals; everything ends with the block."""
    key = make_key(state / "admin_key")
    process = subprocess.Popen([sys.executable, "-m", "cli", "emulator", "--state", str(state), "--driver", "qemu"])
    try:
        until((state / "endpoint.json").exists, "embedded cloud", 120)
        yield _settled(state, image, key)
    except BaseException:
        _show_consoles(state)
        raise
    finally:
        process.terminate()
        process.wait(60)


def _settled(state: Path, image: Path, key: Path) -> Village:
    place = json.loads((state / "endpoint.json").read_text())
    session = Path(place["auth_file"]).read_text().strip()
    cloud = pyone.OneServer(place["endpoint"], session=session)
    public = key.with_suffix(".pub").read_text().strip()
    cloud.user.update(0, f'SSH_PUBLIC_KEY="{public}"', 1)
    community = load(COMMUNITY)
    exchange, path = state / "host/srv/exchange", state / "host" / str(community.image.path).lstrip("/")
    for folder in (exchange, path.parent):
        folder.mkdir(parents=True)
    link(image, path)
    desk = Desk(Cloud(place["endpoint"], session), open_store(str(exchange)), own_identity(state / "identity.txt"))
    apply(desk, plan(community, found(desk, community.community)))
    enrolment = wait_until_ready(desk, community, timeout_s=READY_WITHIN_S)
    assert enrolment.ready, enrolment.branches
    hospitals = {
        each.name: Hospital(each.name, each.vm_id, each.address, Branch(each.name, each.http, enrolment.authority))
        for each in enrolment.branches
    }
    for each in enrolment.invitations:
        hospital = hospitals[each.branch]
        hospital.logins[each.login] = hospital.branch.accept(each.login, each.role, each.code)
    return Village(state, cloud, key, hospitals, desk)


def _show_consoles(state: Path) -> None:
    for console in sorted(state.glob("vms/*/console.log")):
        print(f"--- {console}", *console.read_text(errors="replace").splitlines()[-30:], sep="\n")


def patients(folder: Path, sources: Sequence[Path], count: int) -> list[Path]:
    """Copies of studies, each a study and an instance of its own."""
    import pydicom
    from pydicom.uid import generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(count):
        data = pydicom.dcmread(sources[number % len(sources)])
        data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID = (generate_uid() for _ in range(3))
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.PatientID = f"KONGU-{number:04}"
        made.append(folder / f"{number:04}.dcm")
        data.save_as(made[-1])
    return made
