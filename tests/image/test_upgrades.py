"""Machines are put on another version and on another image by the admin's own commands, with a power cut between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cli.demo.studies import shipped_instances
from tests.image.building import built_newer
from tests.image.hospitals import COMMUNITY, Hospital, Village, village
from tests.image.waiting import until
from tests.provision.upgrade.standin import MIGRATION, program_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = [
    pytest.mark.vm,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
]

PATIENT, NAME = "KONGU-0001", "Kumaran^Selvi"
NEXT = "0.2.0"
PATIENCE_S = "600"
TABLES = """python3 -c 'import sqlite3
index = sqlite3.connect("/var/lib/gurney/archive/index.sqlite")
print(*index.execute("SELECT version_num FROM alembic_version").fetchone())'"""
PROGRAM = "/opt/gurney/current/bin/python -I -m appliance.upgrade"


@pytest.fixture(scope="module")
def two(appliance_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with village(tmp_path_factory.mktemp("upgraded"), appliance_image) as made:
        yield made


class Admin:
    """The admin's commands, as they are typed."""

    def __init__(self, two: Village) -> None:
        place = json.loads((two.state / "endpoint.json").read_text())
        self.two = two
        self.environment = {
            **os.environ,
            "ONE_XMLRPC": place["endpoint"],
            "ONE_AUTH": place["auth_file"],
            "GURNEY_IDENTITY": str(two.state / "identity.txt"),
        }

    def begin(self, *words: str, community: Path = COMMUNITY) -> subprocess.Popen[str]:
        options = ["-f", str(community), "--exchange", str(self.two.state / "host/srv/exchange")]
        command = [sys.executable, "-m", "cli", "appliance", words[0], *options, *words[1:]]
        return subprocess.Popen(
            command, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def visit(self, command: str, *words: str, community: Path = COMMUNITY) -> subprocess.Popen[str]:
        return self.begin(command, "-i", str(self.two.key), *words, community=community)

    def done(self, command: str, *words: str, community: Path = COMMUNITY) -> str:
        process = self.visit(command, *words, community=community)
        out, err = process.communicate(timeout=1800)
        assert process.returncode == 0, out + err
        return out

    def as_it_is(self, hospital: Hospital, community: Path) -> Hospital:
        """The hospital with the VM that it has now, which may have another address."""
        command = [sys.executable, "-m", "cli", "status", "--json", "-f", str(community), "--exchange"]
        command.append(str(self.two.state / "host/srv/exchange"))
        status = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
        told = next(each for each in json.loads(status.stdout)["branches"] if each["name"] == hospital.name)
        branch, address = replace(hospital.branch, url=told["http"]), told["dicom"].split("@")[1].split(":")[0]
        return replace(hospital, vm_id=told["vm_id"], address=address, branch=branch)

    def host_key(self, hospital: Hospital) -> str:
        """As a person reads it from the console."""
        out, _ = self.begin("console", "--json", hospital.name).communicate(timeout=120)
        words = [line.rpartition(" ")[2] for line in json.loads(out)["lines"] if "SSH host key:" in line]
        return str(words[-1].strip())


@pytest.fixture(scope="module")
def admin(two: Village) -> Admin:
    made = Admin(two)
    for hospital in two.hospitals.values():
        made.done("exec", "--host-key", made.host_key(hospital), "-b", hospital.name, "--", "true")
    return made


def chosen(two: Village, hospital: Hospital) -> str:
    return two.run(hospital, "readlink /opt/gurney/installed/chosen || echo none").strip()


def facts(two: Village, hospital: Hospital) -> str:
    keys = "cat /var/lib/gurney/archive/keys/branch-keys.json | sha256sum; cat /run/gurney/ssh/ssh_host_ed25519_key.pub"
    return two.run(hospital, keys)


def send(hospital: Hospital, folder: Path) -> Sequence[Path]:
    files = shipped_instances(folder)[:2]
    sent = hospital.store(*files)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    return files


def pictures(hospital: Hospital, login: str) -> int:
    with hospital.session(login) as doctor:
        doctor.until_rendered(240)
        return doctor.pictures()


def test_power_is_cut_while_a_version_is_tried(two: Village, admin: Admin, tmp_path: Path) -> None:
    erode = two.hospitals["erode"]
    send(erode, tmp_path / "ct")
    before = pictures(erode, "dr.anbu"), facts(two, erode)
    wheel = program_wheel(tmp_path, NEXT)
    words = ("--wheel", str(wheel), "--patience", PATIENCE_S, "erode")
    with admin.visit("upgrade", *words) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "tries it, closed" in line:
                two.power_off(erode, hard=True)
                break
        said = process.communicate(timeout=900)[1]
    assert process.returncode != 0, said
    two.power_on(erode)
    assert chosen(two, erode) == "none"
    assert two.run(erode, "ls -d /opt/gurney/installed/0* 2>/dev/null || true") == ""
    assert "is undone: 0.1.0 serves" in two.run(erode, "journalctl -b -u gurney-boot --no-pager -o cat")
    assert (pictures(erode, "dr.anbu"), facts(two, erode)) == before
    assert admin.done("upgrade", *words) == f"kongu.erode: 0.1.0 -> {NEXT}\n"
    assert admin.done("upgrade", *words) == f"kongu.erode: already {NEXT}\n"
    assert chosen(two, erode).startswith(f"{NEXT}-")
    assert (pictures(erode, "dr.anbu"), facts(two, erode)) == before
    running = two.run(erode, "tr '\\0' ' ' < /proc/$(systemctl show gurney -p MainPID --value)/cmdline")
    assert running.startswith("/opt/gurney/installed/chosen/bin/python"), running


def test_version_outlives_the_root_disk(two: Village, tmp_path: Path) -> None:
    erode = two.hospitals["erode"]
    was = chosen(two, erode)
    two.power_off(erode, hard=False)
    (two.folder(erode) / "system.qcow2").unlink()
    two.power_on(erode)
    assert chosen(two, erode) == was
    assert two.run(erode, "systemctl --failed --no-legend --plain") == ""


def test_bundle_of_a_machine_names_no_patient(two: Village, admin: Admin, tmp_path: Path) -> None:
    erode, target = two.hospitals["erode"], tmp_path / "erode.tar.gz"
    two.run(erode, f"systemd-run --wait -u gurney-told echo 'heard of {NAME} and {PATIENT}'")
    admin.done("support-bundle", "-o", str(target), "erode")
    with tarfile.open(target) as bundle:
        texts = {member.name: bundle.extractfile(member).read().decode() for member in bundle}  # type: ignore[union-attr]
    assert "serving" in texts["erode/journal-gurney.txt"]
    assert "heard of [patient]" in texts["erode/journal-gurney.txt"]
    words = (PATIENT, *NAME.split("^"))
    assert [(word, name) for name, text in texts.items() for word in words if word in text] == []


def test_machine_whose_disk_is_never_replaced_takes_in_again(two: Village) -> None:
    """By a timer of its own systemd; what is due in half an hour is begun at once here."""
    erode, note = two.hospitals["erode"], "/var/lib/gurney/programs/upgrade.json"
    two.run(erode, f"{PROGRAM} prepare && test -s {note} && ! systemctl is-active --quiet gurney")
    listed = two.run(erode, "systemctl list-timers --no-legend 'run-*'").splitlines()
    ((timer, due),) = (line.split()[-2:] for line in listed)
    left_us = two.run(erode, f"systemctl show {timer} -p TimersMonotonic --value")
    assert "OnActiveUSec=30min" in left_us
    two.run(erode, f"systemctl start {due}")
    until(lambda: two.run(erode, f"test -e {note} || echo taken back") == "taken back\n", "taken back")
    until(lambda: bool(erode.branch.health()), "health")


def test_root_disk_is_replaced_by_a_newer_image(two: Village, admin: Admin, tmp_path: Path) -> None:
    """Another version with other tables: the same keys, the same archive, the same users."""
    salem, image = two.hospitals["salem"], two.state / "host/var/tmp"
    send(salem, tmp_path / "ct")
    kept, machine_id = (pictures(salem, "dr.mala"), facts(two, salem)), two.run(salem, "cat /etc/machine-id")
    community = with_image(tmp_path, image / "gurney-appliance-2.qcow2")
    built_newer(image / "gurney-appliance-2.qcow2", NEXT, MIGRATION, tmp_path / "checkout")
    words = ("--json", "--image", "--patience", PATIENCE_S, "salem")
    told: dict[str, Any] = json.loads(admin.done("upgrade", *words, community=community))
    assert told["kongu.salem"]["outcome"] == "upgraded"
    renewed = admin.as_it_is(salem, community)
    assert renewed.vm_id != salem.vm_id
    erode = two.hospitals["erode"]
    assert admin.as_it_is(erode, community).vm_id == erode.vm_id
    assert two.run(renewed, "cat /etc/machine-id") != machine_id
    assert two.run(renewed, "gurney --version").split()[-1] == NEXT
    assert two.run(renewed, TABLES) == "9001\n"
    assert (pictures(renewed, "dr.mala"), facts(two, renewed)) == kept
    assert two.run(renewed, "test ! -e /var/lib/gurney/programs/upgrade.json && echo open") == "open\n"
    until(lambda: renewed.smb(renewed.logins["dr.mala"], "ls").returncode == 0, "shared folder", 120)
    broken = image / "broken.qcow2"
    broken.write_bytes(bytes(1 << 20))
    command = ("upgrade", "--image", "--patience", "20", "salem")
    process = admin.visit(*command, community=with_image(tmp_path, broken))
    assert "rolled back to image" in process.communicate(timeout=1800)[1]
    assert process.returncode == 6
    assert facts(two, admin.as_it_is(salem, community)) == kept[1]
    again = json.loads(admin.done("upgrade", *words, community=community))
    assert again["kongu.salem"]["outcome"] == "already"


def with_image(folder: Path, image: Path) -> Path:
    """The community file with another image of the host."""
    changed = folder / f"{image.stem}.yaml"
    changed.write_text(COMMUNITY.read_text().replace("gurney-appliance.qcow2", image.name))
    return changed
