"""Virtual machines of the process driver: what runs behind them, and that nothing outlives them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xmlrpc.client import ServerProxy

import pyone
import pytest

from emulator.cloud import Cloud
from emulator.objects.vm_guest import guest_of
from emulator.settings import Settings
from tests.emulator.guest import PORT
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = (sys.executable, str(Path(__file__).with_name("guest.py")))
TEMPLATE = (
    'NAME="guest"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="{image}"]\n{more}'
    'CONTEXT=[NETWORK="YES",TOKEN="YES",GURNEY="it\'s {{}} $HOME"]'
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A cloud whose guests are tiny servers."""
    return Settings(state=tmp_path / "cloud", driver="process", command=COMMAND)


@pytest.fixture
def cloud(settings: Settings) -> Iterator[Cloud]:
    """It runs."""
    with Cloud(settings) as cloud:
        yield cloud


def guest(cloud: Cloud, more: str = "", *, persistent: bool = False) -> int:
    """A virtual machine that runs."""
    one = client(cloud)
    until(lambda: one.hostpool.info().HOST[0].STATE == 2 and one.datastore.info(1).FREE_MB > 0)
    words = 'PERSISTENT="YES"' if persistent else ""
    image = one.image.allocate(f'NAME="disk{time.monotonic()}"\nTYPE="DATABLOCK"\nSIZE="10"\n{words}', 1)
    until(lambda: one.image.info(image).STATE == 1)
    number: int = one.vm.allocate(TEMPLATE.format(image=image, more=more))
    until(lambda: is_running(one, number))
    return number


def client(cloud: Cloud) -> Any:
    """pyone as oneadmin."""
    return pyone.OneServer(cloud.endpoint, session=cloud.session)


def is_running(one: Any, number: int) -> bool:
    """Whether a virtual machine is RUNNING."""
    found = one.vm.info(number)
    return (found.STATE, found.LCM_STATE) == (3, 3)


def ask(cloud: Cloud, number: int, path: str = "/") -> int | None:
    """What a guest answers: its process id; None when it does not."""
    try:
        with urllib.request.urlopen(f"http://{cloud.place.vm_address(number)}:{PORT}{path}", timeout=5) as answer:
            return int(answer.read())
    except OSError:
        return None


def exists(pid: int) -> bool:
    """Whether a process exists (a zombie does not)."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return False


def test_guest_is_told_and_reports(cloud: Cloud) -> None:
    """The guest finds context, archive and address where the contract says, and READY arrives."""
    one = client(cloud)
    number = guest(cloud)
    until(lambda: one.vm.info(number).USER_TEMPLATE.get("READY") == "YES")
    until(lambda: ask(cloud, number))
    folder = cloud.settings.state / "vms" / str(number)
    told = json.loads((folder / "console.log").read_text().splitlines()[0])
    assert told["options"]["address"] == cloud.place.vm_address(number)
    assert told["options"]["archive"] == str(folder / "disk.0")
    assert told["context"]["GURNEY"] == "it's {} $HOME"
    for name in ("context.sh", "token.txt"):
        assert stat.S_IMODE((folder / "context" / name).stat().st_mode) == 0o600
    raw: Any = ServerProxy(cloud.endpoint)
    document = raw.one.vm.info(cloud.session, number)[1]
    assert f"<GUEST_IP><![CDATA[{cloud.place.vm_address(number)}]]></GUEST_IP>" in document


def test_guest_that_dies_is_started_again(cloud: Cloud) -> None:
    """A service that dies comes back by itself, with another process."""
    number = guest(cloud)
    until(lambda: ask(cloud, number))
    first = ask(cloud, number)
    ask(cloud, number, "/die")
    until(lambda: ask(cloud, number) not in {None, first})
    assert is_running(client(cloud), number)


def test_guest_ends_with_its_machine(cloud: Cloud) -> None:
    """After terminate neither process nor folder is left."""
    number = guest(cloud)
    until(lambda: ask(cloud, number))
    pid = ask(cloud, number)
    assert pid is not None
    one = client(cloud)
    one.vm.action("terminate", number)
    until(lambda: one.vm.info(number).STATE == 6)
    assert not exists(pid)
    assert not (cloud.settings.state / "vms" / str(number)).exists()


def test_persistent_data_outlives_machines(cloud: Cloud) -> None:
    """What is written to a persistent image is there for the next machine."""
    one = client(cloud)
    number = guest(cloud, persistent=True)
    until(lambda: ask(cloud, number, "/keep"))
    image = int(one.vm.info(number).TEMPLATE["DISK"]["IMAGE_ID"])
    one.vm.action("terminate-hard", number)
    until(lambda: one.image.info(image).STATE == 1)
    assert (cloud.settings.state / "datastores" / "1" / str(image) / "kept").read_text() == "kept"


def test_poweroff_and_resume(cloud: Cloud) -> None:
    """A machine that is powered off has no process; resumed, it has one again."""
    one = client(cloud)
    number = guest(cloud)
    until(lambda: ask(cloud, number))
    one.vm.action("poweroff", number)
    until(lambda: one.vm.info(number).STATE == 8)
    assert ask(cloud, number) is None
    one.vm.action("resume", number)
    until(lambda: is_running(one, number) and ask(cloud, number))


def test_guests_go_on_after_a_restart(settings: Settings) -> None:
    """A cloud that is stopped leaves no guests; started again it starts them."""
    with Cloud(settings) as cloud:
        number = guest(cloud)
        until(lambda: ask(cloud, number))
        first = ask(cloud, number)
    assert first is not None
    assert not exists(first)
    with Cloud(settings) as cloud:
        until(lambda: ask(cloud, number))
        assert is_running(client(cloud), number)


RUNS_A_GUEST = """
import sys, time
from pathlib import Path
from emulator.cloud import Cloud
from emulator.objects.vm_guest import guest_of
from emulator.settings import Settings
from tests.emulator.test_guests import COMMAND, ask, guest
from tests.waiting import until
with Cloud(Settings(state=Path(sys.argv[1]), driver="process", command=COMMAND)) as cloud:
    number = guest(cloud)
    until(lambda: ask(cloud, number))
    print(ask(cloud, number), flush=True)
    time.sleep(60)
"""


def test_guests_die_with_a_killed_cloud(tmp_path: Path) -> None:
    """Even SIGKILL of the cloud leaves no guest."""
    command = [sys.executable, "-c", RUNS_A_GUEST, str(tmp_path / "cloud")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as cloud:
        assert cloud.stdout is not None
        pid = int(cloud.stdout.readline())
        assert exists(pid)
        os.kill(cloud.pid, signal.SIGKILL)
        until(lambda: not exists(pid))


def test_command_stops_cleanly(tmp_path: Path) -> None:
    """`gurney emulator` says where it is, and leaves nothing when it is told to stop."""
    state = tmp_path / "cloud"
    command = [sys.executable, "-m", "cli", "emulator", "--state", str(state), "--port", "0", "--driver", "none"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2], text=True) as cloud:
        assert cloud.stdout is not None
        said = cloud.stdout.readline()
        told = json.loads((state / "endpoint.json").read_text())
        assert told["endpoint"] in said
        one = pyone.OneServer(told["endpoint"], session=(state / "one_auth").read_text().strip())
        assert one.system.version() == "7.4.0"
        cloud.send_signal(signal.SIGTERM)
        assert cloud.wait(PATIENCE_S) == 0
    assert not (state / "endpoint.json").exists()


def test_busy_port_ends_the_command(tmp_path: Path, cloud: Cloud) -> None:
    """One line on stderr, and the exit code of its own."""
    command = [sys.executable, "-m", "cli", "emulator", "--state", str(tmp_path / "b")]
    command += ["--address", cloud.place.address, "--port", str(cloud.port), "--driver", "none"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 9
    assert len(done.stderr.strip().splitlines()) == 1
    assert "cannot listen on" in done.stderr


def test_guest_of_a_host_that_dies(settings: Settings) -> None:
    """Its process is gone with the host; recreated on the other host it has its archive, and runs once."""
    with Cloud(replace(settings, hosts=("first", "second"))) as cloud:
        one = client(cloud)
        until(lambda: all(host.STATE == 2 for host in one.hostpool.info().HOST))
        number = guest(cloud, persistent=True)
        until(lambda: ask(cloud, number))
        old = ask(cloud, number)
        assert old is not None
        dead = one.vm.info(number).HISTORY_RECORDS.HISTORY[-1].HOSTNAME
        archive = cloud.settings.state / "vms" / str(number) / "disk.0"
        (archive / "study").write_text("kept")
        cloud.power.cut(dead)
        until(lambda: one.vm.info(number).LCM_STATE == 16)
        until(lambda: not exists(old))
        assert ask(cloud, number) is None
        one.vm.recover(number, 4)
        until(lambda: is_running(one, number) and ask(cloud, number))
        assert dead != one.vm.info(number).HISTORY_RECORDS.HISTORY[-1].HOSTNAME
        assert (archive / "study").read_text() == "kept"
        new = ask(cloud, number)
        cloud.power.restore(dead)
        until(lambda: all(host.STATE == 2 for host in one.hostpool.info().HOST))
        assert ask(cloud, number) == new


def test_reboot_starts_the_guest_once(cloud: Cloud) -> None:
    """The old process is gone before the new one starts, also of one that was never told to stop."""
    one = client(cloud)
    number = guest(cloud)
    until(lambda: ask(cloud, number))
    seen = [ask(cloud, number)]
    for again in range(5):
        if again == 2:
            vm = cloud.store.get("vm", number)
            assert vm is not None
            cloud.driver.start(guest_of(cloud, vm))
        else:
            one.vm.action("reboot-hard" if again == 4 else "reboot", number)
        until(lambda: ask(cloud, number) not in {None, seen[-1]})
        assert not exists(seen[-1] or 0)
        seen.append(ask(cloud, number))
