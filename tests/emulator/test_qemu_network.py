"""The network of a machine: small ones, ports that others hold, and what is said when it cannot be."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.cloud import Cloud
from emulator.drivers.driver import Card
from emulator.drivers.qemu_network import others, seen_port
from emulator.errors import EmulatorError
from emulator.settings import Pace, Settings
from tests.emulator.qemu import needs_qemu
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNING, BOOT_FAILURE, DONE = (3, 3), (3, 36), (6, 0)
NETWORK = 'NAME="{0}"\nVN_MAD="bridge"\nBRIDGE="b"\nNETWORK_MASK="{1}"\nAR=[TYPE="IP4",IP="{0}",SIZE="1"]'
MACHINE = 'NAME="a"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="{}"]\nNIC=[NETWORK_ID="{}"]\nCONTEXT=[NETWORK="YES"]'
APART = ("unshare", "--net", "--map-root-user")
ADDRESSES = (
    ("10.20.1.10", "10.20.1.0/24", ["10.20.1.50", "10.20.1.254", "10.20.1.253", "10.20.1.252"]),
    ("10.20.1.50", "10.20.1.50/255.255.255.0", ["10.20.1.251", "10.20.1.254", "10.20.1.253", "10.20.1.252"]),
    ("10.20.1.254", "10.20.1.0/24", ["10.20.1.50", "10.20.1.253", "10.20.1.252", "10.20.1.251"]),
    ("10.0.0.11", "10.0.0.0/28", ["10.0.0.10", "10.0.0.14", "10.0.0.13", "10.0.0.12"]),
    ("10.0.0.2", "10.0.0.0/29", ["10.0.0.3", "10.0.0.6", "10.0.0.5", "10.0.0.4"]),
)


@pytest.mark.parametrize(("ip", "network", "expected"), ADDRESSES)
def test_nobody_has_the_guest_s_address(ip: str, network: str, expected: list[str]) -> None:
    around = others(Card("02:00:00:00:00:01", ip, network))
    assert [str(each) for each in (around.visitor, around.onegate, around.dns, around.dhcp)] == expected


@pytest.mark.parametrize("length", [30, 31, 32])
def test_network_without_room_is_refused(length: int) -> None:
    with pytest.raises(EmulatorError, match=rf"network 10.20.1.[02]/{length} has too few addresses"):
        others(Card("02:00:00:00:00:01", "10.20.1.2", f"10.20.1.2/{length}"))


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with Cloud(
        Settings(state=tmp_path / "cloud", driver="qemu", port=0, password="x", pace=Pace(monitor_s=0.3))
    ) as one:
        yield one


def made(cloud: Cloud, one: Any, ip: str, mask: str) -> int:
    """A machine with an empty disk in a network of its own."""
    path = cloud.settings.state / "host" / "var" / "tmp" / "disk"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(1 << 20))
    image = one.image.allocate('NAME="os"\nTYPE="OS"\nPATH="/var/tmp/disk"', 1)
    until(lambda: one.image.info(image).STATE == 1)
    network = one.vn.allocate(NETWORK.format(ip, mask), 0)
    number: int = one.vm.allocate(MACHINE.format(image, network), False)
    return number


def settled(one: Any, number: int) -> tuple[int, int]:
    """The state in which a machine arrives first."""
    until(lambda: state(one, number) in {RUNNING, BOOT_FAILURE}, f"VM {number}")
    return state(one, number)


def state(one: Any, number: int) -> tuple[int, int]:
    vm = one.vm.info(number)
    return vm.STATE, vm.LCM_STATE


@needs_qemu
@pytest.mark.parametrize(
    ("mask", "words"),
    [("255.255.255.252", "too few addresses"), ("255.0.255.0,hostfwd=tcp::1-:1", "is not a valid netmask")],
)
def test_network_that_cannot_be_is_a_boot_failure(cloud: Cloud, mask: str, words: str) -> None:
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    number = made(cloud, one, "10.20.1.2", mask)
    assert settled(one, number) == BOOT_FAILURE
    assert words in one.vm.info(number).USER_TEMPLATE["ERROR"]
    one.vm.action("terminate-hard", number)
    until(lambda: state(one, number) == DONE)


@needs_qemu
def test_small_network_is_enough_for_qemu(cloud: Cloud) -> None:
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    number = made(cloud, one, "10.20.1.6", "255.255.255.248")
    assert settled(one, number) == RUNNING
    one.vm.action("terminate-hard", number)
    until(lambda: state(one, number) == DONE)


@needs_qemu
def test_port_that_is_taken_at_the_guest_s_address_is_a_boot_failure_each_time(cloud: Cloud) -> None:
    """qemu has made its control socket long before it finds out."""
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    with socket.create_server((cloud.place.vm_address(0), seen_port(11112))):
        number = made(cloud, one, "10.20.1.10", "255.255.255.0")
        for _ in range(10):
            assert settled(one, number) == BOOT_FAILURE
            assert "Could not set up host forwarding rule" in one.vm.info(number).USER_TEMPLATE["ERROR"]
            one.vm.recover(number, 2)
        until(lambda: state(one, number) == BOOT_FAILURE)
    one.vm.recover(number, 2)
    assert settled(one, number) == RUNNING
    one.vm.action("terminate-hard", number)
    until(lambda: state(one, number) == DONE)


BESIDE_OTHERS = """
import socket, subprocess, sys
from pathlib import Path
import pyone
from emulator.cloud import Cloud
from emulator.settings import Settings
from tests.emulator.test_qemu_network import made, settled
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
ports = (22, 445, 8080)
taken = [socket.create_server(("0.0.0.0", port)) for port in ports[:2]]
taken.append(socket.create_server(("::", ports[2]), family=socket.AF_INET6, dualstack_ipv6=True))
with Cloud(Settings(state=Path(sys.argv[1]), driver="qemu", password="x")) as cloud:
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    number = made(cloud, one, "10.20.1.10", "255.255.255.0")
    print(settled(one, number))
    address = cloud.place.vm_address(number)
    for port in (*(10000 + port for port in ports), 104):
        socket.create_connection((address, port), 10).close()
    one.vm.action("terminate-hard", number)
    print((cloud.settings.state / "vms" / str(number) / "console.log").read_text())
"""


@needs_qemu
def test_machine_runs_beside_programs_that_listen_everywhere(tmp_path: Path) -> None:
    """As sshd does, and whatever else has a port of an appliance at all addresses: the guest's is found elsewhere."""
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this account may not make a namespace of networks (unshare --map-root-user --net)")
    command = [*APART, sys.executable, "-c", BESIDE_OTHERS, str(tmp_path / "cloud")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{RUNNING}")
    assert "port 22 cannot be had here: it is at 127.20.0.1:10022\nport 445 " in done.stdout
    assert "machines have their ports 8080, 22, 445 10000 higher" in done.stderr
