"""The driver whose guests are virtual machines: what qemu is told, and what becomes of one that cannot start."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.cloud import Cloud
from emulator.drivers import qemu_command, qemu_network, qmp, virtiofs
from emulator.drivers.driver import Card, Guest, Hardware, Mount
from emulator.drivers.qemu import Machines
from emulator.drivers.qemu_files import prepare
from emulator.errors import EmulatorError
from emulator.settings import Pace, Settings
from tests.emulator.qemu import needs_qemu
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

CARD = Card("02:00:0a:14:01:0a", "10.20.1.10", "10.20.1.0/24")
ONEGATE = "http://127.20.255.254:5030"


def guest_in(folder: Path, **hardware: object) -> Guest:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "context").mkdir(exist_ok=True)
    (folder / "context" / "context.sh").write_text(f"VMID='7'\nONEGATE_ENDPOINT='{ONEGATE}'\n")
    (folder / "context" / "token.txt").write_text("secret")
    mounts = (Mount("exchange", folder / "a,b", read_only=True), Mount("outbox", folder / "out"))
    made = Hardware(cards=(CARD,), onegate=ONEGATE, data_mib=(64,), **hardware)  # type: ignore[arg-type]
    return Guest(7, "erode", folder, "127.20.0.8", (folder / "data",), mounts, made)


def after(words: list[str], option: str) -> list[str]:
    return [value for name, value in pairwise(words) if name == option]


def test_ports_of_the_guest_are_at_the_address_of_the_vm(tmp_path: Path) -> None:
    card = after(qemu_command.command(guest_in(tmp_path), "qemu", qemu_command.TRANSLATION), "-netdev")[0].split(",")
    assert f"hostfwd=tcp:127.20.0.8:{qemu_network.seen_port(104)}-10.20.1.10:104" in card
    assert "hostfwd=tcp:127.20.0.8:11112-10.20.1.10:11112" in card
    assert {"restrict=on", "net=10.20.1.0/24", "host=10.20.1.50"} <= set(card)
    assert any(part.startswith("guestfwd=tcp:10.20.1.254:5030-cmd:") for part in card)


def test_folders_of_others_are_read_only_and_commas_are_kept(tmp_path: Path) -> None:
    folders = after(qemu_command.command(guest_in(tmp_path), "qemu", qemu_command.KVM), "-fsdev")
    assert folders[0].endswith(f"path={tmp_path}/a,,b,security_model=mapped-xattr,readonly=on")
    assert "readonly" not in folders[1]


def test_folders_by_virtiofs_share_the_guest_s_memory(tmp_path: Path) -> None:
    guest = guest_in(tmp_path)
    servers = virtiofs.sockets(guest)
    words = qemu_command.command(guest, "qemu", qemu_command.KVM, servers)
    assert after(words, "-fsdev") == []
    assert after(words, "-object") == ["memory-backend-memfd,id=memory,size=512M,share=on"]
    assert f"socket,id=folder1,path={servers[1].name}" in after(words, "-chardev")
    assert "vhost-user-fs-pci,chardev=folder1,tag=outbox" in after(words, "-device")


@pytest.mark.skipif(virtiofs.program() is None, reason="needs virtiofsd, root and mount namespaces")
def test_servers_of_folders_are_there_while_the_guest_is(tmp_path: Path) -> None:
    """What is read-only is so for its server's whole view, and nowhere else."""
    guest = guest_in(tmp_path / "vm")
    for mount in guest.mounts:
        mount.path.mkdir()
    program = virtiofs.program()
    assert program is not None
    servers = virtiofs.serve(guest, program)
    assert [place.is_socket() for place in virtiofs.sockets(guest)] == [True, True]
    (guest.mounts[0].path / "here").write_text("still writable")
    virtiofs.end(servers)
    assert [server.poll() is not None for server in servers] == [True, True]
    shutil.rmtree(guest.mounts[1].path)
    with pytest.raises(EmulatorError, match="does not share a folder"):
        virtiofs.serve(guest, program)


@needs_qemu
def test_files_of_a_guest_are_laid_out_once(tmp_path: Path) -> None:
    image = tmp_path / "image.raw"
    image.write_bytes(bytes(1 << 20))
    guest = guest_in(tmp_path / "vm", system=image)
    prepare(guest)
    disk = tmp_path / "vm" / "data" / "disk.raw"
    assert disk.stat().st_size == 64 << 20
    with disk.open("r+b") as file:
        file.write(b"kept")
    prepare(guest)
    assert disk.read_bytes()[:4] == b"kept"
    disc = qemu_command.context_disc(guest).read_bytes()
    assert b"ONEGATE_ENDPOINT='http://10.20.1.254:5030'" in disc
    assert b"secret" in disc
    with pytest.raises(EmulatorError, match="no OS image"):
        prepare(guest_in(tmp_path / "other"))


@needs_qemu
def test_state_folder_may_lie_deep(tmp_path: Path) -> None:
    """A socket's path has 107 bytes at most; the folders' sockets and the machine's own are reached all the same."""
    (tmp_path / "image").write_bytes(bytes(1 << 20))
    guest = guest_in(tmp_path / ("a-folder-of-some-length/" * 5) / "vm", system=tmp_path / "image")
    for mount in guest.mounts:
        mount.path.mkdir()
    machines = Machines()
    machines.start(guest)
    until(lambda: not machines.is_starting(7))
    assert machines.failure(7) == ""
    assert machines.is_there(7)
    assert qmp.tell(qemu_command.control(guest), "query-status")["status"] == "running"
    machines.stop(7, hard=True)
    machines.stop_all()


@needs_qemu
def test_guest_that_cannot_start_says_why(tmp_path: Path) -> None:
    machines = Machines()
    machines.start(guest_in(tmp_path, system=tmp_path / "missing.qcow2"))
    until(lambda: not machines.is_starting(7))
    assert "missing.qcow2" in machines.failure(7)
    assert not machines.is_there(7)
    machines.stop(7, hard=True)
    assert machines.failure(7) == ""
    machines.stop_all()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    pace = Pace(monitor_s=0.3)
    with Cloud(Settings(state=tmp_path / "cloud", driver="qemu", port=0, password="x", pace=pace)) as made:
        yield made


def state(one: pyone.OneServer, number: int) -> tuple[int, int]:
    vm = one.vm.info(number)
    return vm.STATE, vm.LCM_STATE


def settled(one: pyone.OneServer, number: int, wanted: tuple[int, int]) -> None:
    until(lambda: state(one, number) == wanted, f"the state {wanted}")


RUNNING, BOOT_FAILURE, POWEROFF, DONE = (3, 3), (3, 36), (8, 0), (6, 0)


def allocated(cloud: Cloud, one: pyone.OneServer, content: bytes) -> int:
    """A VM whose first disk holds this."""
    image = cloud.settings.state / "host" / "var" / "tmp" / "disk"
    image.parent.mkdir(parents=True)
    image.write_bytes(content)
    number = one.image.allocate('NAME="os"\nTYPE="OS"\nPATH="/var/tmp/disk"', 1)
    until(lambda: one.image.info(number).STATE == 1, "the image")
    image.unlink()  # the datastore has its own
    vm: int = one.vm.allocate(f'NAME="a"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="{number}"]\nCONTEXT=[A="b"]', False)
    return vm


@needs_qemu
def test_states_follow_a_machine_that_ends_by_itself(cloud: Cloud) -> None:
    """A machine that finds nothing to boot runs; killed from outside it is off; terminated it is gone."""
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    vm = allocated(cloud, one, bytes(1 << 20))
    settled(one, vm, RUNNING)
    driver = cloud.driver
    assert isinstance(driver, Machines)
    process = driver._machines[vm].process
    assert process is not None
    process.kill()
    settled(one, vm, POWEROFF)
    one.vm.action("resume", vm)
    settled(one, vm, RUNNING)
    one.vm.action("terminate-hard", vm)
    settled(one, vm, DONE)
    assert not driver.is_there(vm)


@needs_qemu
def test_machine_that_starts_anew_runs_all_the_time(cloud: Cloud, mocker: MockerFixture) -> None:
    """By itself it stays the same process; told to by the cloud it is another one."""
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    vm = allocated(cloud, one, bytes(1 << 20))
    settled(one, vm, RUNNING)
    driver = cloud.driver
    assert isinstance(driver, Machines)
    first = driver._machines[vm]
    reset(first.guest)
    looks = mocker.spy(driver, "is_there")
    until(lambda: looks.call_count > 3, "looks at the machine")
    assert state(one, vm) == RUNNING
    assert driver._machines[vm] is first
    one.vm.action("reboot-hard", vm)
    until(lambda: driver._machines.get(vm, first) is not first and not driver.is_starting(vm), "another machine")
    settled(one, vm, RUNNING)
    second = driver._machines[vm].process
    assert second is not None
    assert second is not first.process
    one.vm.action("terminate-hard", vm)
    settled(one, vm, DONE)


@needs_qemu
@pytest.mark.parametrize("hard", [True, False])
def test_machine_that_is_stopped_while_it_starts_does_not_run(
    tmp_path: Path, hard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the one that it was to follow is gone at the end."""
    seen: list[subprocess.Popen[bytes]] = []
    begun = threading.Event()

    def popen(*arguments: Any, **named: Any) -> subprocess.Popen[bytes]:
        seen.append(real(*arguments, **named))
        begun.set()
        return seen[-1]

    (tmp_path / "image").write_bytes(bytes(1 << 20))
    guest = guest_in(tmp_path, system=tmp_path / "image")
    for mount in guest.mounts:
        mount.path.mkdir(exist_ok=True)
    machines, real = Machines(), subprocess.Popen
    monkeypatch.setattr("emulator.drivers.qemu_machine.subprocess.Popen", popen)
    machines.start(guest)
    assert begun.wait(PATIENCE_S)
    machines.stop(7, hard=hard)
    until(lambda: not machines.is_there(7))
    machines.start(guest)
    machines.stop_all()
    assert seen
    assert [process.returncode is not None for process in seen] == [True] * len(seen)


def reset(guest: Guest) -> None:
    """What happens in a machine that starts itself anew, as qemu tells it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(qemu_command.control(guest)))
        with connection.makefile("rw") as lines:
            for order in ("qmp_capabilities", "system_reset"):
                lines.write(json.dumps({"execute": order}) + "\n")
                lines.flush()
            while "RESET" not in lines.readline():
                pass


@needs_qemu
def test_image_that_is_no_disk_is_a_boot_failure(cloud: Cloud) -> None:
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    vm = allocated(cloud, one, b"QFI\xfb\0\0\0\3" + bytes(96))
    settled(one, vm, BOOT_FAILURE)
    assert "DEPLOY" in one.vm.info(vm).USER_TEMPLATE["ERROR"]
