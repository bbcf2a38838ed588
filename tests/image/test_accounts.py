"""The accounts of the shared folder, with Samba itself: nobody stays in who may be in no longer, no change is lost."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from appliance.accounts.nt_hash import nt_hash
from appliance.accounts.smb_accounts import SmbAccounts
from appliance.boot import accounts, smb_sessions
from appliance.boot.accounts import CHANGED, LIST, SAMBA_LIST, TAKEN, take_over_accounts
from appliance.boot.machine import Machine, Trouble
from appliance.boot.smb_sessions import CONFIGURATION
from appliance.index.engine import open_index
from appliance.people_tables import Account
from tests.exchange.sshd import free_port
from tests.image.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOST = "127.0.0.1"
pytestmark = pytest.mark.slow
#: Two people whom every Debian has, in one group: none has to be made on the machine that runs the tests.
GROUP, ANBU, MALA = "nogroup", "nobody", "sync"
PASSWORD = "a password of Anbu's"
SAMBA = """[global]
    server role = standalone server
    interfaces = 127.0.0.1
    bind interfaces only = yes
    disable netbios = yes
    smb ports = {port}
    server min protocol = SMB3_00
    server smb encrypt = required
    map to guest = never
    guest account = root
    load printers = no
    printcap name = /dev/null
    disable spoolss = yes
    passdb backend = smbpasswd:{root}/run/gurney/smbpasswd
    private dir = {root}/samba
    state directory = {root}/samba
    cache directory = {root}/samba
    lock directory = {root}/samba
    pid directory = {root}/samba
    ncalrpc dir = {root}/samba/rpc
    log file = /dev/null
[pictures]
    path = {root}/shared
    valid users = @nogroup
    force user = root
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setattr(accounts, "GROUP", GROUP)
    made = Machine(tmp_path)
    for folder in (LIST, TAKEN, CONFIGURATION):
        made.path(folder).parent.mkdir(parents=True, exist_ok=True)
    return made


class Service:
    """What the service does with people: it keeps their hashes, and publishes them."""

    def __init__(self, machine: Machine) -> None:
        self._index = open_index(machine.path("/index.sqlite"))
        self._published = SmbAccounts(self._index, machine.path(LIST).parent)

    def has(self, **hashes: str | None) -> None:
        """These people with these hashes, beside whom there are."""
        with self._index.writing() as session:
            for login, digest in hashes.items():
                session.merge(Account(login=login, accepted_code="", password_set=datetime.now(UTC), smb_hash=digest))
        self._published.publish()


def test_change_while_the_list_is_taken_over_is_not_lost(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The moment is that in which accounts are made: the list has been read, and is changed."""
    service = Service(machine)
    service.has(nobody=nt_hash("first"))
    found = pwd.getpwnam

    def meanwhile(login: str) -> pwd.struct_passwd:
        if login == ANBU:
            service.has(sync=nt_hash("second"))
        return found(login)

    assert machine.path(CHANGED).exists()
    with monkeypatch.context() as patched:
        patched.setattr(pwd, "getpwnam", meanwhile)
        assert take_over_accounts(machine) == 1
    assert machine.path(CHANGED).exists(), "systemd looks for it when the service has ended"
    assert take_over_accounts(machine) == 2
    assert not machine.path(CHANGED).exists()
    assert [line.split(":")[0] for line in machine.path(SAMBA_LIST).read_text().splitlines()] == [ANBU, MALA]
    service.has()
    assert not machine.path(CHANGED).exists(), "nothing has changed"


@pytest.fixture
def samba(machine: Machine) -> Iterator[int]:
    """The port of a Samba that has this machine's list."""
    if os.geteuid() != 0 or shutil.which("smbd") is None:
        pytest.skip("needs root, and Samba")
    port = free_port()
    machine.path("/shared").mkdir()
    machine.path("/samba").mkdir()
    machine.path(CONFIGURATION).write_text(SAMBA.format(root=machine.root, port=port))
    command = ["smbd", "--configfile", str(machine.path(CONFIGURATION)), "--foreground", "--no-process-group"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        until(lambda: "REFUSED" not in said(port, ANBU, PASSWORD), "Samba", 60)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def opened(port: int, login: str, password: str) -> list[str]:
    return ["smbclient", f"//{HOST}/pictures", "-p", str(port), "-U", f"{login}%{password}", "-m", "SMB3"]


def said(port: int, login: str, password: str) -> str:
    """What a person sees who opens the folder anew."""
    done = subprocess.run(
        [*opened(port, login, password), "-c", "ls"], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


@contextmanager
def held_open(port: int, login: str, password: str) -> Iterator[subprocess.Popen[bytes]]:
    """A session that asks for nothing more until it is told to."""
    process = subprocess.Popen(opened(port, login, password), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        ask(process, "lcd /")
        yield process
    finally:
        process.kill()
        process.communicate()


def ask(process: subprocess.Popen[bytes], command: str) -> None:
    assert process.stdin
    process.stdin.write(f"{command}\n".encode())
    process.stdin.flush()


def users(machine: Machine) -> dict[str, int]:
    """Who is in, and the process that serves them, as Samba's own table says."""
    command = ["smbstatus", "--configfile", str(machine.path(CONFIGURATION)), "--processes"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {words[1]: int(words[0]) for line in told.splitlines() if (words := line.split()) and words[0].isdigit()}


@pytest.mark.parametrize("new", [None, nt_hash("another password")], ids=["dismissed", "another password"])
def test_session_ends_with_the_account_or_its_password(machine: Machine, samba: int, new: str | None) -> None:
    """An open session is ended, and only it."""
    (machine.path("/shared") / "second").write_text("not opened before")
    service = Service(machine)
    service.has(nobody=nt_hash(PASSWORD), sync=nt_hash("Mala's"))
    take_over_accounts(machine)
    with held_open(samba, ANBU, PASSWORD) as anbu, held_open(samba, MALA, "Mala's") as mala:
        until(lambda: users(machine).keys() == {ANBU, MALA}, "both sessions", 60)
        service.has(nobody=new)
        take_over_accounts(machine)
        assert users(machine).keys() == {MALA}
        stolen, read = machine.path("/stolen"), machine.path("/read")
        for process, target in ((anbu, stolen), (mala, read)):
            process.communicate(f"get second {target}\n".encode(), timeout=60)
        assert not stolen.exists()
        assert read.read_text() == "not opened before"
    assert "NT_STATUS_LOGON_FAILURE" in said(samba, ANBU, PASSWORD)


def test_session_that_does_not_end_is_told_and_seen_to_again(
    machine: Machine, samba: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list counts as taken over only when the sessions that it ends have ended."""
    monkeypatch.setattr(smb_sessions, "LOOKS", 2)
    service = Service(machine)
    service.has(nobody=nt_hash(PASSWORD))
    take_over_accounts(machine)
    with held_open(samba, ANBU, PASSWORD):
        until(lambda: ANBU in users(machine), "a session", 60)
        process = users(machine)[ANBU]
        service.has(nobody=None)
        os.kill(process, signal.SIGSTOP)
        with pytest.raises(Trouble, match=rf"still open .*\[{process}\]"):
            take_over_accounts(machine)
        assert ANBU in machine.path(TAKEN).read_text()
        os.kill(process, signal.SIGCONT)
        take_over_accounts(machine)
        assert not users(machine)
        assert machine.path(TAKEN).read_text() == ""
