"""The share `inbox`, with Samba itself under the configuration of the image: who may, what arrives, and no way out."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from appliance.accounts.smb_accounts import SmbAccounts
from appliance.boot import accounts
from appliance.boot.accounts import LIST, take_over_accounts
from appliance.boot.machine import Machine
from appliance.boot.smb_sessions import CONFIGURATION
from appliance.inbox.inbox import Inbox
from provision.image.layout import values_for
from templates.files import guest_files
from tests.appliance.community import Community
from tests.appliance.hospital import PASSWORD, Hospital, ct
from tests.appliance.scanner import written
from tests.exchange.sshd import free_port
from tests.image.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

pytestmark = pytest.mark.slow
HOST = "127.0.0.1"
#: Two people whom every Debian has, in one group: none has to be made on the machine that runs the tests.
GROUP, DEVI, ANBU = "nogroup", "nobody", "sync"
STAFF = {DEVI: "radiographer", ANBU: "doctor"}
#: What differs from a machine: where everything lies, who everybody is, and the port.
LOCAL = """    interfaces = 127.0.0.1
    bind interfaces only = yes
    guest account = root
    pid directory = {root}/run/samba
    ncalrpc dir = {root}/run/samba/rpc
"""


class Branch:
    """A hospital whose archive is a machine's, and that machine's Samba."""

    def __init__(self, root: Path, exchange: Path) -> None:
        self.machine = Machine(root)
        folder = self.machine.path(LIST).parent
        for each in (folder, root / "run/gurney", root / "run/samba/cache", root / "etc/samba"):
            each.mkdir(parents=True, exist_ok=True)
        for name in ("private", "state"):
            (folder.parent / "samba" / name).mkdir(parents=True)
        self.hospital = Hospital(Community(exchange), "erode", folder).enrol(STAFF).accept_all()
        people = self.hospital.people
        self.inbox = Inbox(self.hospital.archive, "erode", people.settings, people.audit, 0.0, 0.0)
        self.published = SmbAccounts(self.hospital.archive.index, folder, self.inbox.shares)
        self.port = free_port()
        self.machine.path(CONFIGURATION).write_text(configuration(root, self.port))

    def allow(self, *, inbox: bool, staff: dict[str, str] = STAFF) -> None:
        """What the admin declares comes to Samba, as it does without a boot."""
        self.hospital.community.appoint("erode", staff, inbox=inbox)
        self.hospital.people.enrolment.step()
        self.publish()

    def publish(self) -> None:
        self.published.publish()
        take_over_accounts(self.machine)

    def said(self, login: str, command: str, share: str = "inbox", *options: str) -> str:
        """What smbclient says."""
        who = ["-U", f"{login}%{PASSWORD}"] if login else ["-N"]
        asked = ["smbclient", f"//{HOST}/{share}", "-p", str(self.port), *who, *(options or ("-m", "SMB3"))]
        done = subprocess.run([*asked, "-c", command], capture_output=True, text=True, timeout=120, check=False)
        return done.stdout + done.stderr

    @contextmanager
    def held(self, *options: str) -> Iterator[subprocess.Popen[bytes]]:
        """Devi's session of the inbox, which has made a folder and stays open."""
        command = ["smbclient", f"//{HOST}/inbox", "-p", str(self.port), "-U", f"{DEVI}%{PASSWORD}", "-m", "SMB3"]
        pipe = subprocess.PIPE
        with subprocess.Popen([*command, *options], stdin=pipe, stdout=pipe, stderr=subprocess.STDOUT) as process:
            assert process.stdin is not None
            process.stdin.write(b"mkdir first\n")
            process.stdin.flush()
            until((self.inbox.folder / DEVI / "first").is_dir, "the first command", 60)
            yield process

    def sessions(self) -> list[dict[str, Any]]:
        """What Samba says of who is connected."""
        asked = ["smbstatus", "--configfile", str(self.machine.path(CONFIGURATION)), "--json"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=120, check=True)
        return list(json.loads(done.stdout)["sessions"].values())


def configuration(root: Path, port: int) -> str:
    """The image's, for a machine that lies in a folder."""
    files = {str(path): text for path, text in guest_files(**values_for("1.2.3", ()))}
    text = files["etc/samba/smb.conf"].replace("[global]\n", "[global]\n" + LOCAL.format(root="@"))
    for before, after in (
        ("/var/lib/", "@/var/lib/"),
        ("/run/", "@/run/"),
        ("@@", "@"),
        ("@gurney-staff", f"+{GROUP}"),
        ("= gurney\n", "= root\n"),
        ("smb ports = 445", f"smb ports = {port}"),
        ("@", str(root)),
    ):
        assert before in text, before
        text = text.replace(before, after)
    return text


@pytest.fixture
def branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Branch]:
    if os.geteuid() != 0 or shutil.which("smbd") is None:
        pytest.skip("needs root, and Samba")
    monkeypatch.setattr(accounts, "GROUP", GROUP)
    made = Branch(tmp_path / "machine", tmp_path / "exchange")
    command = ["smbd", "--configfile", str(made.machine.path(CONFIGURATION)), "--foreground", "--no-process-group"]
    with (tmp_path / "smbd.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--debug-stdout"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until(lambda: "REFUSED" not in made.said(DEVI, "ls", "pictures"), "Samba", 60)
        yield made
    finally:
        process.terminate()
        process.wait(30)
        made.hospital.close()


def test_a_cd_that_is_copied_into_the_share_arrives(branch: Branch, tmp_path: Path) -> None:
    branch.allow(inbox=True)
    cd = tmp_path / "CD of Selvi"
    (cd / "DICOM").mkdir(parents=True)
    datasets = ct(count=20)
    for number, path in enumerate(written(tmp_path / "files", *datasets)):
        path.rename(cd / "DICOM" / f"IM{number:04}")
    (cd / "viewer.exe").write_bytes(b"MZ" + bytes(100_000))
    told = branch.said(DEVI, f'lcd "{tmp_path}"; recurse; prompt; mput "CD of Selvi"')
    assert "NT_STATUS" not in told
    branch.inbox.step()
    assert branch.hospital.kept() == sorted(dataset.SOPInstanceUID for dataset in datasets)
    listed = branch.said(DEVI, "recurse; ls")
    assert "IM0" not in listed
    assert "viewer.exe" in listed
    name = next(path.name for path in (branch.inbox.folder / DEVI).glob("report *"))
    assert "NT_STATUS" not in branch.said(DEVI, f'get "{name}" "{tmp_path / "report"}"')
    assert "20 of 20 images arrived." in (tmp_path / "report").read_text("utf-8-sig")


def test_only_who_may_import_and_only_while_the_admin_allows_it(branch: Branch) -> None:
    """It begins and ends without a restart of anything, for sessions that are open as well."""
    states = []
    for allowed in (False, True, False, True):
        branch.allow(inbox=allowed)
        states.append([*("NT_STATUS" in branch.said(login, "ls") for login in (DEVI, ANBU))])
        assert "NT_STATUS" not in branch.said(ANBU, "ls", "pictures")
    assert states == [[True, True], [False, True], [True, True], [False, True]]
    branch.allow(inbox=True, staff={DEVI: "doctor", ANBU: "doctor"})
    assert "NT_STATUS" in branch.said(DEVI, "ls")


def test_a_session_that_is_open_ends_with_the_right(branch: Branch) -> None:
    branch.allow(inbox=True)
    with branch.held() as held:
        branch.allow(inbox=False)
        held.communicate(b"mkdir second\n", timeout=60)
    assert not (branch.inbox.folder / DEVI / "second").exists()


def test_it_is_for_smb_3_with_encryption_and_no_guests(branch: Branch) -> None:
    branch.allow(inbox=True)
    assert "NT_STATUS_ACCESS_DENIED" in branch.said("", "ls")
    assert "NT_STATUS" in branch.said(DEVI, "ls", "inbox", "-m", "SMB2")
    assert "NT_STATUS" not in branch.said(DEVI.upper(), "ls")
    assert "NT_STATUS" not in branch.said(DEVI, "ls", "inbox", "-m", "SMB3", "--client-protection=encrypt")


def test_who_asks_for_no_protection_is_encrypted_all_the_same(branch: Branch) -> None:
    """Samba itself tells: a client cannot be seen to be refused, since it does what the server demands."""
    branch.allow(inbox=True)
    with branch.held("--client-protection=off") as held:
        (session,) = branch.sessions()
        held.communicate(b"quit\n", timeout=60)
    assert session["encryption"]["degree"] == "full"
    assert session["encryption"]["cipher"].startswith("AES-")


def test_nothing_leads_out_of_it(branch: Branch, tmp_path: Path) -> None:
    """Neither a path nor a link that lies there, however it came."""
    branch.allow(inbox=True)
    (tmp_path / "strayed").write_bytes(b"x")
    for path in ("..", "../..", "../k.mani", "..\\..\\keys", "/../../../etc", "%U/.."):
        branch.said(
            DEVI, f'put "{tmp_path / "strayed"}" "{path}/strayed"; cd "{path}"; put "{tmp_path / "strayed"}" strayed'
        )
    found = [path for path in branch.machine.root.rglob("strayed") if DEVI not in path.parts]
    assert found == []
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("secret")
    (branch.inbox.folder / DEVI / "out").symlink_to(tmp_path / "secret")
    (branch.inbox.folder / DEVI / "key").symlink_to(tmp_path / "secret" / "key")
    for command in ("get key -", "cd out; get key -", 'get "out/key" -', "del key; cd out; del key", "rmdir out"):
        assert "secret" not in branch.said(DEVI, command).replace(str(tmp_path), "")
    assert "NT_STATUS" in branch.said(DEVI, "posix; symlink /etc/passwd link")
    assert (tmp_path / "secret" / "key").read_text() == "secret"


def test_a_disk_that_is_nearly_full_lets_people_read_what_is_told(
    branch: Branch, tmp_path: Path, mocker: MockerFixture
) -> None:
    branch.allow(inbox=True)
    room = mocker.patch("appliance.inbox.inbox.inbox_margins")
    (tmp_path / "x").write_bytes(b"x")
    for margins, states in ((0.9, [False, True]), (2.0, [False, False])):
        room.return_value = margins
        branch.publish()
        said = [branch.said(DEVI, command) for command in ("ls", f'put "{tmp_path / "x"}" x')]
        assert ["NT_STATUS" in each for each in said] == states


def test_names_of_many_kinds(branch: Branch, tmp_path: Path) -> None:
    branch.allow(inbox=True)
    datasets = ct(count=3)
    paths = written(tmp_path / "files", *datasets)
    names = ("n" * 240, "செல்வி முருகன்", "a'b$(c)`d;e")
    for path, name in zip(paths, names, strict=True):
        assert "NT_STATUS" not in branch.said(DEVI, f'put "{path}" "{name}"'), name
    deep = "/".join("d" * 40 for _ in range(20))
    for depth in range(20):
        branch.said(DEVI, f'mkdir "{deep[: 41 * depth + 40]}"')
    (late,) = written(tmp_path / "late", *ct(count=1))
    assert "NT_STATUS" not in branch.said(DEVI, f'cd "{deep}"; put "{late}" IM')
    for _ in ("what lies there", "the folders that nothing lies in any more"):
        branch.inbox.step()
    assert len(branch.hospital.kept()) == 4
    left = [path for path in (branch.inbox.folder / DEVI).iterdir() if not path.name.startswith("report ")]
    assert left == []
