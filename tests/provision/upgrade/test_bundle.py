"""A support bundle names no patient, wherever the name has got to: index, logs, file names, context."""

from __future__ import annotations

import io
import re
import sqlite3
import tarfile
from contextlib import closing
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import pytest

from appliance.index.migrations.tables import metadata
from appliance.redaction import NAMING, Redaction, main
from provision.image.layout import values_for
from provision.visit.bundle import COMMANDS, UNITS, write_bundle
from provision.visit.far_side import UNIT as UPGRADE_UNIT
from provision.visit.far_side import FarSide
from provision.visit.shell import shell_in
from templates.files import guest_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.upgrade.standin import Admin, StandIn

NAME, NUMBER, BORN, VISIT = "Kandasamy^Velmurugan", "KMCH/2291-X", "19480512", "ACC-77120"
UID = "1.2.826.0.1.3680043.8.498.1234567890"
FORBIDDEN = ("kandasamy", "velmurugan", "2291-x", "19480512", "1948-05-12", "77120", UID, "முருகன்", "s3cret")
FORBIDDEN += ("thangavel", "meena", "8133-q")
STUDY = "id, patient_key, study_instance_uid, study_date, study_time, description, accession_number"
ATTEMPT = "sender, referral_id, version, attempts, begun, given_up, issuer, total, patient_id, patient_name"
INSERTS = (
    ("INSERT INTO patient (id, issuer, patient_id, name, birth_date, sex) VALUES (9, 'erode', ?, ?, ?, 'M')",
     (NUMBER, NAME, BORN)),
    (f"INSERT INTO study ({STUDY}) VALUES (9, 9, ?, '20261120', '', '', ?)", (UID, VISIT)),
    (f"INSERT INTO referral_attempt ({ATTEMPT}) VALUES ('salem', '1', '1', 3, '2026-11-20 00:00:00', 1, '', 3, ?, ?)",
     ("SGH/8133-Q", "Thangavel^Meena")),
)  # fmt: skip
LOG = f"""
2026-11-21T10:00:00 erode gurney[1]: {{"event": "drawing failed", "name": "{NAME}", "number": "{NUMBER}"}}
2026-11-21T10:00:01 erode gurney[1]: No such file: '/archive/shared/VELMURUGAN Kandasamy ({NUMBER}, erode)/1948-05-12'
2026-11-21T10:00:02 erode gurney[1]: visit {VISIT} of {UID}: முருகன் is kept, 512 bytes at 10.20.1.10
2026-11-21T10:00:03 erode gurney[1]: the referral of Thangavel, Meena (SGH/8133-Q) is given up
"""
#: As people write it over several lines; some look like what Gurney or OpenNebula wrote.
SCRIPT = """#!/bin/sh
echo s3cret > /etc/password
DNS_API_TOKEN=s3cret1
GURNEY_BACKUP_PASSWORD=s3cret2
GURNEY_BRANCH=s3cret3
echo '\\''
VMID='\\''s3cret4'\\''
"""


@pytest.fixture
def planted(guest: StandIn) -> StandIn:
    """Patients everywhere that a bundle looks."""
    with closing(sqlite3.connect(guest.index)) as connection:
        for statement, values in INSERTS:
            connection.execute(statement, values)
        connection.commit()
    (guest.archive / f"{NAME.replace('^', ' ')} ({NUMBER.replace('/', '_')})").mkdir()
    journal = guest.root / "usr/bin/journalctl"
    journal.write_text(f"#!/bin/sh\ncat <<'END'\n{LOG}END\n")
    journal.chmod(0o755)
    with (guest.root / "run/gurney/context/context.sh").open("a") as context:
        context.write(f"START_SCRIPT='{SCRIPT}'\nROOT_PASSWORD='s3cret'\nGURNEY_PASSWORD='s3cret'\nDNS='10.20.0.1'\n")
    return guest


def bundle_of(admin: Admin, folder: Path) -> dict[str, str]:
    target = folder / "erode.tar.gz"
    with shell_in(admin.machine) as shell:
        write_bundle(shell, "erode", target, FarSide(str(admin.guest.root), admin.guest.address))
    with tarfile.open(target) as bundle:
        files = {member.name.partition("/")[2]: bundle.extractfile(member) for member in bundle}
        return {name: file.read().decode() for name, file in files.items() if file is not None}


def test_nothing_that_was_planted_is_in_it(admin: Admin, planted: StandIn, tmp_path: Path) -> None:
    texts = bundle_of(admin, tmp_path)
    assert set(texts) == {f"{name}.txt" for name in COMMANDS}
    found = {(word, name) for name, text in texts.items() for word in FORBIDDEN if word in text.casefold()}
    assert found == set()
    assert "drawing failed" in texts["journal-gurney.txt"]
    assert "is kept, 512 bytes at 10.20.1.10" in texts["journal-gurney.txt"]
    assert texts["disks.txt"].count("[patient]") >= 2
    assert "GURNEY_BRANCH='erode'" in texts["context.txt"]
    assert "DNS='10.20.0.1'" in texts["context.txt"]


def test_context_that_means_something_to_a_shell_only_is_not_told(
    admin: Admin, planted: StandIn, tmp_path: Path
) -> None:
    with (planted.root / "run/gurney/context/context.sh").open("a") as context:
        context.write("EXTRA=$(cat <<END\nDNS='s3cret'\nEND\n)\n")
    text = bundle_of(admin, tmp_path)["context.txt"]
    assert "not a line of the form KEY='value'" in text
    assert "s3cret" not in text


def test_journal_is_that_of_every_unit_but_the_start_script() -> None:
    units = {path.name for path, _ in guest_files(**values_for("0.1.0", ())) if path.name.startswith("gurney")}
    units = {name for name in units if name.endswith((".service", ".path"))} | {f"{UPGRADE_UNIT}.service"}
    assert len(units) > 5
    left_out = {name for name in units if not any(fnmatchcase(name, pattern) for pattern in UNITS)}
    assert left_out == {"gurney-start-script.service"}
    assert all(unit in COMMANDS["journal-gurney"] for unit in UNITS)


def test_names_that_cannot_be_read_let_nothing_through(admin: Admin, planted: StandIn, tmp_path: Path) -> None:
    planted.systemctl("stop")
    planted.index.write_bytes(b"no index any more" * 1000)
    texts = bundle_of(admin, tmp_path)
    assert texts
    for name, text in texts.items():
        assert "left out, since the index" in text, name
        assert not [word for word in FORBIDDEN if word in text.casefold()]


def test_index_that_is_gone_lets_nothing_through(admin: Admin, planted: StandIn, tmp_path: Path) -> None:
    planted.systemctl("stop")
    planted.index.unlink()
    texts = bundle_of(admin, tmp_path)
    assert texts
    for name, text in texts.items():
        assert "left out, since the index" in text, name
        assert not [word for word in FORBIDDEN if word in text.casefold()]


@pytest.mark.parametrize(("mounted", "code"), [(True, 0), (False, 1)])
def test_archive_that_was_never_opened_names_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, mounted: bool, code: int
) -> None:
    monkeypatch.setattr("os.path.ismount", lambda _path: mounted)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"the disk is new\n")))
    (tmp_path / "archive").mkdir()
    assert main([str(tmp_path / "archive")]) == code
    assert ("the disk is new" in capsys.readouterr().out) is mounted


def test_image_that_cannot_redact_hands_nothing_out(admin: Admin, planted: StandIn, tmp_path: Path) -> None:
    for path in (planted.root / "opt/gurney/current").glob("lib/*/site-packages/appliance/redaction.py"):
        path.unlink()
    assert "drawing failed" not in "".join(bundle_of(admin, tmp_path).values())


#: What a column is called that names a person or a visit; `Patient.name` beside it.
NAMES_SOMEBODY = re.compile(r"patient_(id|name)|(patient_)?birth_date|accession_number")


def test_every_column_that_names_somebody_is_known() -> None:
    columns = {(table.name, column.name) for table in metadata.tables.values() for column in table.columns}
    naming = {(table, column) for table, column in columns if NAMES_SOMEBODY.fullmatch(column)} | {("patient", "name")}
    assert len(naming) > 9
    assert naming == set(NAMING)


def test_words_of_programs_stay() -> None:
    redaction = Redaction(["Li^Na", "Free^Memory", "123", "A 7"])
    assert redaction.of("Mem: 512 free 12 at 10.0.0.1, kernel 6.1.0-28, li is 1234") == (
        "Mem: 512 [patient] 12 at 10.0.0.1, kernel 6.1.0-28, li is 1234"
    )
