"""Two appliances as real virtual machines: enrolled, sent to, referred between, cut off, put on a new disk."""

from __future__ import annotations

import base64
import io
import subprocess
import tarfile
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pydicom
import pytest

from cli.demo.studies import shipped_instances
from emulator.drivers import virtiofs
from emulator.drivers.qemu_network import seen_port
from tests.image.hospitals import COMMUNITY, DONE, POWEROFF, RUNNING, Hospital, Village, patients, village
from tests.image.shell import Shell, make_key
from tests.image.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.vm, pytest.mark.slow, pytest.mark.timeout(3600)]

PATIENT = "KONGU-0001"
IDLE_MIB = 300
ARCHIVE, ANOTHER_NETWORK = "/var/lib/gurney", "10.20.9.0/24"
SERVICE = "systemctl show -p MainPID --value gurney.service"
FIND_PICTURES = "cd /var/lib/gurney/archive/shared && find -L . -name '*.png' -printf '%P\\n'"
INSTANCES = 60
MOUNTED_ANEW = (
    "mkdir -p /root/x; mount -t virtiofs exchange /root/x || mount -t 9p -o trans=virtio exchange /root/x; "
    "touch /root/x/x; gone=$?; umount /root/x; exit $gone"
)


@pytest.fixture(scope="module")
def two(appliance_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with village(tmp_path_factory.mktemp("village"), appliance_image) as made:
        yield made


def test_patient_goes_from_one_hospital_to_the_other(two: Village, tmp_path: Path) -> None:
    """Boots, enrols, sends by storescu, refers, and opens the pictures by smbclient."""
    erode, salem = two.hospitals["erode"], two.hospitals["salem"]
    assert used_mib(two, erode) <= IDLE_MIB, two.run(erode, "free -m; ps axo rss,cmd --sort -rss | head")
    files = shipped_instances(tmp_path)[:2]  # storescu decodes no JPEG
    sent = erode.store(*files)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    with erode.session("dr.anbu") as doctor, salem.session("dr.mala") as other:
        doctor.until_rendered(400)
        pictures = doctor.pictures()
        assert pictures >= len(files)
        doctor.refer(PATIENT, "salem")
        other.until(lambda: other.pictures() == pictures, "pictures of the patient", 400)
    own = salem.logins["dr.mala"]
    until(lambda: salem.smb(own, "ls").returncode == 0, "shared folder")
    listed = salem.smb(own, "recurse; ls").stdout
    assert listed.count(".png") == pictures
    fetched = tmp_path / "fetched"
    fetched.mkdir()
    got = salem.smb(own, f"lcd {fetched}; recurse; prompt; mget *")
    assert got.returncode == 0, got.stdout
    assert {path.read_bytes()[:8] for path in fetched.rglob("*.png")} == {b"\x89PNG\r\n\x1a\n"}


def test_shared_folder_is_for_the_own_staff_and_read_only(two: Village, tmp_path: Path) -> None:
    erode, salem = two.hospitals["erode"], two.hospitals["salem"]
    own, stranger = salem.logins["dr.mala"], erode.logins["dr.anbu"]
    assert "NT_STATUS_LOGON_FAILURE" in salem.smb(stranger, "ls").stdout
    assert "NT_STATUS" in salem.smb(own, "ls", "-m", "SMB2").stdout
    guest = subprocess.run(
        ["smbclient", f"//{salem.address}/pictures", "-p", str(seen_port(445)), "-N", "-c", "ls"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "NT_STATUS_ACCESS_DENIED" in guest.stdout + guest.stderr
    (tmp_path / "new.png").write_bytes(b"x")
    refused = salem.smb(own, f"put {tmp_path / 'new.png'} new.png")
    assert "NT_STATUS_ACCESS_DENIED" in refused.stdout
    assert "NT_STATUS_ACCESS_DENIED" in salem.smb(own, "mkdir here").stdout


def test_cd_that_is_copied_into_the_inbox_arrives(two: Village, tmp_path: Path) -> None:
    """By smbclient, as the radiographer; Samba sees of the archive what it shares, and no doctor may copy anything."""
    erode = two.hospitals["erode"]
    radiographer, doctor = erode.logins["r.devi"], erode.logins["dr.anbu"]
    sent = patients(tmp_path / "CD" / "DICOM", shipped_instances(tmp_path / "shipped")[:2], 5)
    (tmp_path / "CD" / "viewer.exe").write_bytes(b"MZ" + bytes(10_000))
    until(lambda: erode.smb(radiographer, "ls", share="inbox").returncode == 0, "the inbox")
    assert "NT_STATUS" in erode.smb(doctor, "ls", share="inbox").stdout
    put = erode.smb(radiographer, f"lcd {tmp_path}; recurse; prompt; mput CD", share="inbox")
    assert "NT_STATUS" not in put.stdout, put.stdout
    report = "cat /var/lib/gurney/archive/inbox/r.devi/report*.txt"
    until(lambda: "5 of 5 images arrived." in two.shell(erode).attempt(report).stdout, "the report")
    listed = erode.smb(radiographer, "recurse; ls", share="inbox").stdout
    assert "viewer.exe" in listed
    assert ".dcm" not in listed
    with erode.session("dr.anbu") as session:
        studies = {study["study_instance_uid"] for study in session.get("/api/studies?limit=1000")}
    assert {pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID for path in sent} <= studies
    seen = two.run(erode, "nsenter -t $(systemctl show -p MainPID --value smbd) -m ls /var/lib/gurney/archive")
    assert seen.split() == ["inbox", "shared"]


DISMISSED = ", r.devi: radiographer"
LIST, LET_IN = "/var/lib/gurney/archive/smb-accounts", "cut -d: -f1 /run/gurney/smbpasswd"


def test_dismissed_person_is_out_of_the_shared_folder(two: Village, tmp_path: Path) -> None:
    """Who has it open as well: a session lives as long as its connection, whatever becomes of its account."""
    erode, declared = two.hospitals["erode"], COMMUNITY.read_text()
    login, opened = erode.logins["r.devi"], "smbstatus --processes | awk '$1 ~ /^[0-9]+$/ { print $2 }'"
    until(lambda: erode.smb(login, "ls").returncode == 0, "shared folder")
    picture = two.run(erode, FIND_PICTURES).splitlines()[0]
    with erode.smb_open(login) as session:
        until(lambda: "r.devi" in two.run(erode, opened), "an open session")
        assert DISMISSED in declared
        two.declare(declared.replace(DISMISSED, ""))
        until(lambda: "r.devi" not in two.run(erode, f"{LET_IN}; {opened}"), "the end of the session")
        assert session.stdin
        said, _ = session.communicate(f'get "{picture}" {tmp_path / "stolen.png"}\n', timeout=240)
    assert not (tmp_path / "stolen.png").exists(), said
    assert "NT_STATUS_LOGON_FAILURE" in erode.smb(login, "ls").stdout


def test_change_of_who_is_let_in_is_never_lost(two: Village) -> None:
    """The list is changed as the service changes it, over and over while it is being taken over."""
    erode = two.hospitals["erode"]
    before = two.run(erode, LET_IN)
    people = "".join(f"p{number}:{number:032}\\n" for number in range(8))
    two.run(
        erode,
        f"systemctl stop gurney; for last in 1 2 3 4 5 6 7 8; do printf '{people}' | head -$last > {LIST}.new; "
        f"chown gurney: {LIST}.new; mv {LIST}.new {LIST}; touch {LIST}.changed; sleep 0.4; done",
    )
    until(lambda: two.run(erode, LET_IN).split() == [f"p{number}" for number in range(8)], "the last of the lists")
    two.run(erode, f"rm {LIST}; systemctl start gurney")
    until(lambda: two.run(erode, LET_IN) == before, "the people of the branch")


def used_mib(two: Village, hospital: Hospital) -> int:
    """Memory in use, as free(1) counts it."""
    return int(two.run(hospital, "free -m").splitlines()[1].split()[2])


def test_guests_are_hardened(two: Village) -> None:
    erode = two.hospitals["erode"]
    refused = two.shell(erode).attempt("true", "-o", "PubkeyAuthentication=no")
    assert "Permission denied (publickey)" in refused.stderr
    assert two.run(erode, "systemctl --failed --no-legend --plain") == ""
    assert two.run(erode, "systemctl show gurney -p User --value").strip() == "gurney"
    exposure = two.run(erode, "systemd-analyze security gurney.service --no-pager | tail -1")
    assert float(exposure.split(":")[1].split()[0]) < 2.5, exposure
    passwords = two.run(erode, "cut -d: -f2 /etc/shadow | sort -u").split()
    assert all(word.startswith(("!", "*")) for word in passwords), passwords
    assert "keys of this branch" in (two.folder(erode) / "console.log").read_text(errors="replace")


def test_machine_that_has_drawn_rests_in_as_little_memory(two: Village) -> None:
    """The processes that drew are let go; what they were forked from stays."""
    erode = two.hospitals["erode"]
    until(lambda: used_mib(two, erode) <= IDLE_MIB, "memory given back")


def test_what_the_service_loads_is_read_ahead(two: Village) -> None:
    """From a list that the build made: all of it is there, and all was read."""
    erode, unit = two.hospitals["erode"], "systemctl show gurney-read-ahead --value -p"
    assert int(two.run(erode, "wc -l < /opt/gurney/read-ahead")) > 500
    two.run(erode, "xargs --arg-file=/opt/gurney/read-ahead stat > /dev/null")
    assert int(two.run(erode, f"{unit} ExecMainExitTimestampMonotonic")) > 0
    assert two.run(erode, f"{unit} ExecMainStatus").strip() == "0"


def test_context_is_read_once_at_a_boot(two: Village) -> None:
    """The event of the disc that the boot itself has opened is not taken for another disc."""
    erode = two.hospitals["erode"]
    begun = two.run(erode, "systemctl show gurney-again.service -p InactiveExitTimestampMonotonic --value")
    assert begun == "0\n", two.run(erode, "journalctl -b -u gurney-again --no-pager")


def test_machine_that_runs_sees_what_apply_changes(two: Village) -> None:
    """Another network of the admins, a larger archive; the service is not disturbed by either."""
    erode, declared = two.hospitals["erode"], COMMUNITY.read_text().replace(DISMISSED, "")
    size, rules = f"df --output=size -BM {ARCHIVE} | tail -1", "nft list ruleset"
    service = two.run(erode, SERVICE)
    assert ANOTHER_NETWORK not in two.run(erode, rules)
    assert int(two.run(erode, size).strip(" M\n")) <= 1024
    changed = declared.replace("[10.20.0.0/24]", f"[10.20.0.0/24, {ANOTHER_NETWORK}]")
    two.declare(changed.replace("archive: 1GiB", "archive: 2GiB"))
    until(lambda: ANOTHER_NETWORK in two.run(erode, rules), "an open firewall")
    until(lambda: int(two.run(erode, size).strip(" M\n")) > 1024, "a larger archive")
    assert two.run(erode, SERVICE) == service


def test_key_that_is_added_to_a_machine_that_runs_logs_in(two: Village, tmp_path: Path) -> None:
    erode, key = two.hospitals["erode"], make_key(tmp_path / "another")
    another = Shell(erode.address, two.shell(erode).port, key)
    assert "Permission denied" in another.attempt("true").stderr
    before = two.cloud.vm.info(erode.vm_id).TEMPLATE["CONTEXT"]["SSH_PUBLIC_KEY"]
    keys = f"{before}\n{key.with_suffix('.pub').read_text().strip()}"
    two.cloud.vm.updateconf(erode.vm_id, f'CONTEXT=[SSH_PUBLIC_KEY="{keys}"]', 1)
    until(lambda: another.attempt("true").returncode == 0, "the new key")
    assert two.shell(erode).attempt("true").returncode == 0, "the old one stays"
    two.cloud.vm.updateconf(erode.vm_id, f'CONTEXT=[SSH_PUBLIC_KEY="{before}"]', 1)
    until(lambda: "Permission denied" in another.attempt("true").stderr, "the end of the new key")


def test_folders_are_shared_as_opennebula_shares_them(two: Village) -> None:
    """By virtiofs where its server can be used; the whole tree read-only, the own outbox read-write."""
    erode = two.hospitals["erode"]
    kind = "virtiofs" if virtiofs.program() else "9p"
    seen = {
        point: two.run(erode, f"findmnt -no FSTYPE,OPTIONS /mnt/{point}").split() for point in ("exchange", "outbox")
    }
    assert [words[0] for words in seen.values()] == [kind, kind]
    assert [words[1].split(",")[0] for words in seen.values()] == ["ro", "rw"]


def test_cloud_knows_that_the_service_answers(two: Village) -> None:
    """READY comes through OneGate from inside, with the token that lies on the CONTEXT disc alone."""
    for hospital in two.hospitals.values():
        told = two.cloud.vm.info(hospital.vm_id).USER_TEMPLATE
        assert told["READY"] == "YES"
        assert two.run(hospital, "stat -c %a:%U:%G /run/gurney/context/token.txt").strip() == "640:root:gurney"


def test_root_of_one_guest_cannot_touch_what_is_anothers(two: Village) -> None:
    erode = two.hospitals["erode"]
    exchange = two.state / "host/srv/exchange"
    folder, letter = "/mnt/exchange/out/salem/own", "/mnt/exchange/out/salem/own/letter"
    two.run(two.hospitals["salem"], "mkdir -p /mnt/outbox/own; echo written by salem > /mnt/outbox/own/letter")
    until(lambda: two.shell(erode).attempt(f"grep written {letter}").returncode == 0, "what salem has written")
    directory = next(path for path in exchange.rglob("*") if "directory" in path.parts and path.is_file())
    before = {path: path.read_bytes() for path in (directory, exchange / "out/salem/own/letter")}
    name = f"/mnt/exchange/{directory.relative_to(exchange)}"
    attempts = (
        f"echo x >> {name}",
        f"rm -f {name}",
        f"cp /etc/hostname {name}.new && mv {name}.new {name}",
        "touch /mnt/exchange/out/salem/x",
        f"echo x >> {letter}",
        f"truncate -s 0 {letter}",
        f"rm -f {letter}",
        f"chmod 777 {letter}",
        f"mv {letter} {letter}.x",
        f"cp /etc/hostname /mnt/outbox/x && mv -f /mnt/outbox/x {letter}",
        f"ln -f {letter} /mnt/outbox/x",
        f"rm -rf {folder}",
        f"mv {folder} {folder}.x",
        "echo x >> /mnt/outbox/../salem/own/letter",
        "mkdir /mnt/exchange/community/settings/x",
        "ln -s /etc/passwd /mnt/exchange/x",
        MOUNTED_ANEW,
    )
    for remounted in ("true", "mount -o remount,rw /mnt/exchange"):
        two.shell(erode).attempt(remounted)
        for attempt in attempts:
            assert two.shell(erode).attempt(attempt).returncode != 0, attempt
    assert {path: path.read_bytes() for path in before} == before
    made = {"x", "letter.x", "own.x", f"{directory.name}.new"}  # beside them the appliances write and delete their own
    assert all("erode" in path.parts for path in exchange.rglob("*") if path.name in made)
    two.run(erode, "mount -o remount,ro /mnt/exchange")
    two.run(two.hospitals["salem"], "rm -r /mnt/outbox/own")


@dataclass(frozen=True)
class Before:
    """What a machine was before it got another root disk."""

    facts: str
    pictures: int


FACTS = "cat /var/lib/gurney/archive/keys/* | sha256sum; cat /run/gurney/ssh/ssh_host_ed25519_key.pub"


@pytest.fixture(scope="module")
def renewed(two: Village) -> Before:
    """Salem boots from a disk that has never been booted, while another test uses the other core."""
    salem = two.hospitals["salem"]
    with salem.session("dr.mala") as doctor:
        before = Before(two.run(salem, FACTS), doctor.pictures())
    two.power_off(salem, hard=False)
    (two.folder(salem) / "system.qcow2").unlink()
    two.press(salem)
    return before


def test_nothing_acknowledged_is_lost_when_the_power_is_cut(two: Village, tmp_path: Path, renewed: Before) -> None:
    """The plug is pulled while instances arrive."""
    erode = two.hospitals["erode"]
    files = patients(tmp_path / "many", shipped_instances(tmp_path / "shipped")[:2], INSTANCES)
    acknowledged: list[Path] = []

    def send() -> None:
        for first in range(0, len(files), 5):
            some = files[first : first + 5]
            if erode.store(*some).returncode == 0:
                acknowledged.extend(some)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    until(lambda: len(acknowledged) >= INSTANCES // 3, "instances")
    two.power_off(erode, hard=True)
    kept = list(acknowledged)
    two.power_on(erode)
    sender.join(600)
    with erode.session("dr.anbu") as doctor:
        studies = {study["study_instance_uid"] for study in doctor.get("/api/studies?limit=1000")}
    wanted = {pydicom.dcmread(path, stop_before_pixels=True).StudyInstanceUID for path in kept}
    assert wanted <= studies
    lying = kept_instances(two, erode)
    for path in kept:
        sent = pydicom.dcmread(path)
        assert lying[sent.SOPInstanceUID].PixelData == sent.PixelData, path
        assert lying[sent.SOPInstanceUID].PatientID == sent.PatientID, path
    assert two.run(erode, "systemctl --failed --no-legend --plain") == ""


def kept_instances(two: Village, hospital: Hospital) -> dict[str, pydicom.Dataset]:
    """What lies in an archive, each file read whole."""
    packed = base64.b64decode(two.run(hospital, f"tar -C {ARCHIVE}/archive/instances -c . | base64"))
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        files = [content.read() for member in tar if (content := tar.extractfile(member))]
    read = [pydicom.dcmread(io.BytesIO(content)) for content in files]
    return {each.SOPInstanceUID: each for each in read}


def test_root_disk_can_be_thrown_away(two: Village, renewed: Before) -> None:
    """The same keys, the same archive, the same users."""
    salem = two.hospitals["salem"]
    two.until_it_answers(salem)
    assert two.run(salem, FACTS) == renewed.facts
    with salem.session("dr.mala") as doctor:
        assert doctor.pictures() == renewed.pictures
    assert salem.branch.health()["enrolled"]
    until(lambda: salem.smb(salem.logins["dr.mala"], "ls").returncode == 0, "shared folder")


def test_states_in_the_cloud_follow_the_machine(two: Village) -> None:
    """Who shuts itself down is off; who is terminated is gone."""
    erode, salem = two.hospitals["erode"], two.hospitals["salem"]
    two.shell(salem).attempt("systemctl poweroff")
    until(lambda: two.state_of(salem) == POWEROFF, "power off")
    assert two.state_of(erode) == RUNNING
    two.cloud.vm.action("terminate-hard", erode.vm_id)
    until(lambda: two.state_of(erode) == DONE, "the end")
    assert not two.folder(erode).exists()
