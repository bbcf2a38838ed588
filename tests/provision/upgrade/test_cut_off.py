"""An upgrade that is cut off anywhere is whole or undone: by kill, by power, by a broken line, by a full disk."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from appliance.boot.machine import Machine
from appliance.boot.programs import choose_program
from appliance.upgrade.programs import Programs
from provision.visit.far_side import FarSide
from provision.visit.shell import Machine as Place
from provision.visit.shell import shell_in
from provision.visit.upgrade import STEPS, CutOff, upgrade
from provision.visit.versions import MANIFEST, NewVersion, new_version
from tests.provision.upgrade.standin import MIGRATION, OLD, SCHEMA, Admin, StandIn, in_service, program_wheel
from tests.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

KILL = Path(__file__).with_name("kill.py")
PATIENT = "INSERT INTO patient (id, issuer, patient_id, name, birth_date, sex) VALUES (7, 'erode', '7', 'Mani', '', '')"
NAMES = "SELECT name FROM patient WHERE id = 7"


def stage(guest: StandIn, wheel: Path) -> Path:
    """What an admin's command sends."""
    folder = guest.programs / "stage" / "sent"
    folder.mkdir(parents=True, exist_ok=True)
    version = new_version(wheel, None, wheel.parent)
    for name, path in version.files.items():
        (folder / name).write_bytes(path.read_bytes())
    (folder / MANIFEST).write_text(version.manifest())
    return folder


def change_index(guest: StandIn, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(guest.index)) as connection:
        connection.execute(statement, values)
        connection.commit()


def settle_by_the_next_run(guest: StandIn) -> None:
    assert guest.upgrade("settle")[0] == 0


def settle_by_the_next_boot(guest: StandIn) -> None:
    """The power was cut: nothing runs, and the boot comes before the service."""
    guest.systemctl("stop")
    choose_program(Machine(guest.root))
    guest.systemctl("start")


def killed(guest: StandIn, folder: Path, log: Path, where: int | str) -> str:
    """The step before which an upgrade was killed; empty where it came to its end."""
    log.unlink(missing_ok=True)
    code, _ = guest.upgrade("install", str(folder), before=(str(KILL), str(where), str(log)))
    assert code in {0, -signal.SIGKILL}
    return log.read_text().splitlines()[-1] if code else ""


@pytest.mark.parametrize("apart", [5, pytest.param(1, marks=pytest.mark.long)])
def test_killed_at_every_step(guest: StandIn, tmp_path: Path, apart: int) -> None:
    """Killed before each step in turn, or every fifth: the old version serves again with all it knew, until the end."""
    change_index(guest, PATIENT)
    folder, log = stage(guest, program_wheel(tmp_path, "0.3.0", MIGRATION)), tmp_path / "steps"
    begun = int(killed(guest, folder, log, "systemctl stop").split()[0])
    points = (2, *range(begun - 4, 200, apart))
    for number in points:
        (settle_by_the_next_run, settle_by_the_next_boot)[number % 2](guest)
        until(lambda: in_service(guest, OLD))
        assert (guest.schema, guest.rows(NAMES)) == (SCHEMA, [("Mani",)]), log.read_text()
        step = killed(guest, folder, log, number)
        if not (guest.programs / "upgrade.json").exists() and guest.version != OLD:
            break
    assert number > begun + 6, step
    settle_by_the_next_boot(guest)
    until(lambda: in_service(guest, "0.3.0"))
    assert (guest.schema, guest.rows(NAMES)) == ("9001", [("changed by the migration",)])


def test_copy_of_an_earlier_migration_is_never_taken(guest: StandIn, tmp_path: Path) -> None:
    """What is left of the last upgrade must not come back when the next one is cut off."""
    (guest.archive / f"index-{SCHEMA}.sqlite").write_bytes(b"an index of last year")
    change_index(guest, PATIENT)
    folder, log = stage(guest, program_wheel(tmp_path, "0.3.0", MIGRATION)), tmp_path / "steps"
    assert guest.upgrade("install", str(folder), before=(str(KILL), "systemctl stop", str(log)))[0] == -signal.SIGKILL
    assert guest.upgrade("settle")[1][-1] == {"settled": True}
    until(lambda: in_service(guest, OLD))
    assert guest.rows(NAMES) == [("Mani",)]


def upgrade_and_break_the_line(machine: Place, far: FarSide, version: NewVersion) -> None:
    with shell_in(machine) as shell:

        def break_line(words: str) -> None:
            if words == STEPS["install"]:
                shell._client.close()

        upgrade(shell, far, version, break_line)


def test_line_that_breaks_does_not_stop_it(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    far, wheel = FarSide(str(guest.root), guest.address, 60), program_wheel(tmp_path, "0.2.0")
    version = new_version(wheel, None, tmp_path)
    with pytest.raises(CutOff):
        upgrade_and_break_the_line(admin.machine, far, version)
    until(lambda: in_service(guest, "0.2.0"))
    until(lambda: not Programs(Machine(guest.root)).busy(), "the end of the upgrade that goes on alone")
    assert admin.upgrade(wheel).outcome == "already"


def test_another_upgrade_waits_for_nobody(guest: StandIn, tmp_path: Path) -> None:
    folder = stage(guest, program_wheel(tmp_path, "0.2.0"))
    with (guest.programs / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, told = guest.upgrade("install", str(folder))
    assert (code, told[-1]["error"]) == (1, "another upgrade of this appliance is under way")
    assert in_service(guest, OLD)


def test_file_with_another_checksum_is_named_and_sent_again(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    wheel = program_wheel(tmp_path, "0.2.0")
    folder = stage(guest, wheel)
    with (folder / wheel.name).open("r+b") as file:
        file.seek(1000)
        file.write(b"x")
    code, told = guest.upgrade("install", str(folder))
    assert code == 1
    assert wheel.name in told[-1]["error"]
    assert "checksum" in told[-1]["error"]
    assert in_service(guest, OLD)
    sent = guest.programs / "stage" / new_version(wheel, None, tmp_path).digest[:16]
    sent.mkdir()
    (sent / wheel.name).write_bytes(b"half of it")
    assert admin.upgrade(wheel).after == "0.2.0"


@pytest.mark.parametrize("limit", ["size=20m", "size=2g,nr_inodes=200"], ids=["bytes", "files"])
def test_disk_that_is_full_before_the_service_is_stopped(guest: StandIn, tmp_path: Path, limit: str) -> None:
    folder = stage(guest, program_wheel(tmp_path, "0.2.0"))
    kept = tmp_path / "kept"
    script = (
        f"cp -r {guest.programs} {kept} && mount -t tmpfs -o {limit} none {guest.programs} && "
        f'cp -r {kept}/. {guest.programs} && "$@"; code=$?; ls {guest.programs}; exit $code'
    )
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh"]
    options = ["--root", str(guest.root), "--address", guest.address, "install", str(folder)]
    done = subprocess.run(
        [*command, guest.python, "-I", "-m", "appliance.upgrade", *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "free" in done.stdout or "No space left" in done.stdout, done.stdout
    assert "0.2.0-" not in done.stdout.splitlines()
    assert in_service(guest, OLD)
    assert guest.log().count("stopping") == 0


def test_index_that_cannot_be_copied_is_not_migrated(guest: StandIn, tmp_path: Path) -> None:
    """The disk takes no copy of it: here, no file of that size."""
    change_index(guest, PATIENT)
    change_index(guest, "CREATE TABLE filler (content BLOB)")
    change_index(guest, "INSERT INTO filler VALUES (zeroblob(8000000))")
    folder = stage(guest, program_wheel(tmp_path, "0.3.0", MIGRATION))
    limited = ["prlimit", "--fsize=5000000", guest.python, "-I", "-m", "appliance.upgrade"]
    options = ["--root", str(guest.root), "--address", guest.address, "install", str(folder)]
    done = subprocess.run([*limited, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"rolled back to {OLD}, which answers" in done.stdout
    assert in_service(guest, OLD)
    assert (guest.schema, guest.rows(NAMES)) == (SCHEMA, [("Mani",)])
    assert not list(guest.archive.glob("*.part"))


def test_newer_image_wins_over_what_was_installed_over_an_older_one(guest: StandIn, tmp_path: Path) -> None:
    """And an older one does not: the archive's disk holds what was chosen."""
    folder = stage(guest, program_wheel(tmp_path, "0.2.0"))
    assert guest.upgrade("install", str(folder))[0] == 0
    for image, served in (("0.1.5", "0.2.0"), ("0.2.0", "0.2.0"), ("0.10.0", OLD)):
        told = boot_of_image(guest, image)
        assert guest.version == served, told
    assert "newer" in told


def boot_of_image(guest: StandIn, version: str) -> str:
    """The boot's choice, by the program of an image of this version."""
    info = next((guest.root / "opt/gurney/current").glob("lib/*/site-packages/gurney-*.dist-info"))
    text = (info / "METADATA").read_text()
    (info / "METADATA").write_text(
        "\n".join(f"Version: {version}" if line.startswith("Version:") else line for line in text.splitlines())
    )
    program = "import sys; from pathlib import Path; from appliance.boot.machine import Machine; "
    program += "from appliance.boot.programs import choose_program; choose_program(Machine(Path(sys.argv[1])))"
    done = subprocess.run(
        [guest.python, "-I", "-c", program, str(guest.root)],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    (info / "METADATA").write_text(text)
    return done.stdout
