"""Whether an apply has ended for certain: of a process that cannot be seen from here, nobody says so."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from provision.applying import holder
from provision.applying.holder import this_process
from provision.errors import Busy

if TYPE_CHECKING:
    from pytest_mock import MockerFixture

    from tests.provision.conftest import Office

#: Processes of their own, as another laptop or container has them, under this machine's name.
APART = ("unshare", "--map-root-user", "--pid", "--fork", "--mount-proc")

HOLDS = """
import sys
from pathlib import Path
from exchange.stores import open_store
from provision.applying.holder import this_process
from provision.applying.holding import holding
from provision.desk import Desk
from provision.enrolling.identity import own_identity
from provision.opennebula import Cloud

endpoint, login, exchange, identity = sys.argv[1:]
cloud = Cloud(endpoint, Path(login).read_text().strip())
with holding(Desk(cloud, open_store(exchange), own_identity(Path(identity))), "kongu", ()):
    print(this_process().process, flush=True)
    sys.stdin.readline()
"""


def test_a_living_apply_among_other_processes_is_respected(office: Office) -> None:
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this account may not make a namespace of processes (unshare --map-root-user --pid)")
    login = office.folder / "state" / "one_auth"
    where = (office.embedded.endpoint, str(login), str(office.exchange), str(office.desk.identity.path))
    command = [*APART, sys.executable, "-c", HOLDS, *where]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline().startswith("1@"), "its number there, which is another process's here"
        with pytest.raises(Busy, match="process 1, since"):
            office.apply()
        assert [node.name for node in office.found().pools.nodes["document"]] == ["kongu.applying"]
        other.stdin.write("\n")
        other.stdin.close()
        assert other.wait(60) == 0
    assert not office.apply().after


@pytest.fixture
def child() -> subprocess.Popen[bytes]:
    """A process that ends when its input does."""
    return subprocess.Popen(["cat"], stdin=subprocess.PIPE)


def test_a_process_of_ours_is_dead_once_it_is(child: subprocess.Popen[bytes]) -> None:
    me = this_process()
    assert not me.dead
    began = holder._told(str(child.pid))[1]
    other = replace(me, process=f"{child.pid}@{began}")
    assert not other.dead
    assert replace(me, process=f"{child.pid}@{int(began) - 1}").dead, "its number was another process's before"
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert other.dead, "nobody has asked for its exit code yet"
    child.communicate()
    assert other.dead


def test_what_cannot_be_seen_is_not_dead(child: subprocess.Popen[bytes], mocker: MockerFixture, tmp_path: Path) -> None:
    """A /proc with `hidepid` shows an account its own processes alone (proc(5))."""
    me = this_process()
    other = replace(me, process=f"{child.pid}@{holder._told(str(child.pid))[1]}")
    own = tmp_path / str(os.getpid())
    (own / "ns").mkdir(parents=True)
    (own / "ns" / "pid").symlink_to(Path("/proc/self/ns/pid").readlink())
    (tmp_path / "self").symlink_to(own.name)
    mocker.patch.object(holder, "PROC", tmp_path)
    assert this_process().place == me.place
    assert not other.dead
    child.communicate()
    assert other.dead, "it is gone, whether it could be seen or not"


@pytest.mark.parametrize("process", ["", "@", "erode@1", "99999999999999999999@1"])
def test_what_is_no_number_is_not_dead(process: str) -> None:
    assert not replace(this_process(), process=process).dead
