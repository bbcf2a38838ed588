"""A folder that stands for an appliance's machine, as its image lays it out; and wheels of other versions for it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import sysconfig
import zipfile
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from appliance.index.migrations.upgrade import newest_revision
from provision.image.layout import places_of
from provision.image.program import PARTS, folder_of
from provision.visit.far_side import FarSide
from provision.visit.shell import shell_in
from provision.visit.upgrade import Upgraded, upgrade
from provision.visit.versions import new_version
from templates.files import guest_files
from tests.appliance.process import free_address
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from provision.visit.shell import Machine
    from tests.appliance.community import Community

OLD = "0.1.0"
SCHEMA = newest_revision()
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
SYSTEMCTL = Path(__file__).with_name("systemctl.py")
PACKAGES = (*PARTS, "emulator", "provision", "templates")

NEXT_STEP = f'''
"""A table that only the next version has."""
import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{SCHEMA}"


def upgrade() -> None:
    """Make it, and change what is there."""
    op.create_table("only_in_the_next", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("UPDATE patient SET name = 'changed by the migration'")
'''
MIGRATION = {"appliance/index/migrations/versions/9001_next.py": NEXT_STEP}


class StandIn:
    """One appliance in a folder: the service is the real one, systemd is a small program that does what it does."""

    def __init__(self, root: Path, community: Community, branch: str = "erode") -> None:
        self.root, self.branch, self.address = root, branch, free_address()
        self.programs = root / "var/lib/gurney/programs"
        self.archive = root / "var/lib/gurney/archive"
        self.index = self.archive / "index.sqlite"
        self.timer = root / "run/timer"  # what the last one was to do, word by word
        self._lay_out_image()
        for folder in (self.programs, self.archive, root / "run/gurney/context", root / "usr/bin"):
            folder.mkdir(parents=True)
        (root / "opt/gurney/installed").symlink_to(self.programs)
        self._write_context(community)
        self._write_unit(community)

    @property
    def python(self) -> str:
        return str(self.root / "opt/gurney/current/bin/python")

    def systemctl(self, order: str) -> str:
        done = subprocess.run([self.root / "usr/bin/systemctl", order], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def start(self) -> StandIn:
        self.systemctl("start")
        until(lambda: self.health() is not None)
        return self

    def health(self) -> dict[str, Any] | None:
        try:
            answer = httpx.get(f"http://{self.address}:8080/health", trust_env=False, timeout=30)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.status_code == 200 else None

    def upgrade(self, *arguments: str, before: Sequence[str] = ()) -> tuple[int, list[dict[str, Any]]]:
        """Run the program that is in the image, as an admin's command does."""
        command = [self.python, "-I", *before, "-m", "appliance.upgrade"] if not before else [self.python, *before]
        options = ["--root", str(self.root), "--address", self.address, "--patience", "60"]
        done = subprocess.run([*command, *options, *arguments], capture_output=True, text=True, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    @property
    def version(self) -> str:
        """Of what the service runs with when it is started next."""
        place = self.programs / "chosen"
        return json.loads((place / "release.json").read_text())["version"] if place.is_symlink() else OLD

    def versions(self) -> list[str]:
        """Every version that is installed, whole or not."""
        return sorted(path.name for path in self.programs.glob("*-*") if path.is_dir() and not path.is_symlink())

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.index}?mode=ro", uri=True)) as connection:
            return connection.execute(question).fetchall()

    @property
    def schema(self) -> str:
        return str(self.rows("SELECT version_num FROM alembic_version")[0][0])

    def log(self) -> str:
        path = self.root / "run/unit.log"
        return path.read_text() if path.exists() else ""

    def _lay_out_image(self) -> None:
        home = self.root / "opt/gurney" / OLD
        site = home / SITE
        site.mkdir(parents=True)
        for part in PARTS:  # with what is compiled, but for what is being written just now
            shutil.copytree(folder_of(part), site / part, ignore=shutil.ignore_patterns("*.pyc.*"))
        info = site / f"gurney-{OLD}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(metadata(OLD))
        (info / "top_level.txt").write_text("\n".join(PARTS))
        (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
        (home / "bin").mkdir()
        (home / "bin/python").symlink_to(Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}"))
        (home / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\ninclude-system-site-packages = false\n")
        (home.parent / "current").symlink_to(OLD)

    def _write_context(self, community: Community) -> None:
        context = community.context(self.branch)
        values = {
            "GURNEY_COMMUNITY": context.community,
            "GURNEY_BRANCH": context.branch,
            "GURNEY_AE_TITLE": context.ae_title,
            "GURNEY_COMMUNITY_KEY": context.community_key,
            "GURNEY_RECOVERY_KEY": context.recovery_key,
            "VMID": str(context.vm_id),
        }
        text = "".join(f"{name}='{value}'\n" for name, value in values.items())
        (self.root / "run/gurney/context/context.sh").write_text(text)

    def _write_unit(self, community: Community) -> None:
        """The image's own starter, and the unit's command line with the places of the folder."""
        context, places = community.context(self.branch), places_of(OLD)
        starter = self.root / "usr/local/bin/gurney"
        starter.parent.mkdir(parents=True)
        text = dict(guest_text())["usr/local/bin/gurney"]
        starter.write_text(text.replace(places.programs, str(self.root / "opt/gurney")))
        starter.chmod(0o755)
        options = {
            "context": self.root / "run/gurney/context",
            "archive": self.archive,
            "address": self.address,
            "closed-while": str(self.root) + places.journal,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        mounts = [f"--mount=exchange={context.exchange}", f"--mount=outbox={context.outbox}"]
        (self.root / "unit").write_text(json.dumps([str(starter), "appliance", "run", *words, *mounts]))
        systemctl = self.root / "usr/bin/systemctl"
        systemctl.write_text(f"#!{sys.executable}\n{SYSTEMCTL.read_text()}")
        systemctl.chmod(0o755)
        timers = self.root / "usr/bin/systemd-run"
        timers.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {self.timer}\n")
        timers.chmod(0o755)


class Admin:
    """What an admin's command does, for one appliance."""

    def __init__(self, machine: Machine, guest: StandIn, folder: Path) -> None:
        self.machine, self.guest, self.folder, self.told = machine, guest, folder, list[str]()

    def upgrade(self, wheel: Path, wheels: Path | None = None, patience_s: float = 60) -> Upgraded:
        far = FarSide(str(self.guest.root), self.guest.address, patience_s)
        self.told.clear()
        with shell_in(self.machine) as shell:
            return upgrade(shell, far, new_version(wheel, wheels, self.folder), self.told.append)


def in_service(guest: StandIn, version: str) -> bool:
    """Whether this version is chosen, alone, and answers, open."""
    whole = guest.version == version and len(guest.versions()) == int(version != OLD)
    closed = (guest.programs / "upgrade.json").exists()
    return whole and not closed and guest.health() is not None


def guest_text() -> list[tuple[str, str]]:
    from provision.image.layout import values_for

    return [(str(path), text) for path, text in guest_files(**values_for(OLD, ()))]


def metadata(version: str, *requirements: str) -> str:
    """Of the program, with its real requirements."""
    told = distribution("gurney").read_text("METADATA") or distribution("gurney").read_text("PKG-INFO")
    assert told is not None
    head = told.replace(f"Version: {distribution('gurney').version}\n", f"Version: {version}\n", 1).partition("\n\n")[0]
    return head + "".join(f"\nRequires-Dist: {each}" for each in requirements) + "\n\n"


def program_wheel(
    folder: Path, version: str, changed: Mapping[str, str] | None = None, *requirements: str, appended: str = ""
) -> Path:
    """A wheel of the checkout under another version; some files changed, or lines appended to the service."""
    files = {
        f"{part}/{path.relative_to(folder_of(part))}": path.read_bytes()
        for part in PACKAGES
        for path in sorted(folder_of(part).rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    files["appliance/service.py"] += appended.encode()
    files |= {name: text.encode() for name, text in (changed or {}).items()}
    return make_wheel(folder, "gurney", version, files, metadata(version, *requirements))


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes], told: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    tops = "\n".join(sorted({path.partition("/")[0] for path in files}))
    whole = {
        **files,
        f"{info}/METADATA": (told or f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n").encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/top_level.txt": tops.encode(),
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for place, content in whole.items():
            wheel.writestr(zipfile.ZipInfo(place), content)  # the same bytes whenever it is made
        names = [*whole, f"{info}/RECORD"]
        wheel.writestr(zipfile.ZipInfo(names[-1]), "".join(f"{place},,\n" for place in names))
    return path
