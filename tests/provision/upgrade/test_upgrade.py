"""Appliances are put on another version over a real sshd: whole, or rolled back, whatever goes wrong."""

from __future__ import annotations

import fcntl
import shutil
from typing import TYPE_CHECKING

import pytest

from provision.visit.errors import NotServing, NotUpgraded, Unsettled
from provision.visit.upgrade import Upgraded
from tests.provision.upgrade.standin import (
    MIGRATION,
    OLD,
    SCHEMA,
    Admin,
    StandIn,
    in_service,
    make_wheel,
    program_wheel,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ENDS = "\n\ndef run(places):\n    raise SystemExit('broken on purpose')\n"
SILENT = "\n\ndef run(places):\n    threading.Event().wait()\n"
ENDS_WHEN_OPEN = """

_begin = _start


def _start(*arguments, closed=False):
    if not closed:
        raise SystemExit("broken on purpose")
    _begin(*arguments, closed=closed)
"""


@pytest.mark.usefixtures("pip_itself")
def test_version_is_installed_and_found_to_be_there(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    wheel = program_wheel(tmp_path, "0.2.0")
    assert admin.upgrade(wheel) == Upgraded("upgraded", OLD, "0.2.0")
    assert in_service(guest, "0.2.0")
    assert not (guest.programs / "stage").exists()
    site = next((guest.programs / "chosen").glob("lib/*/site-packages"))
    assert list(site.glob("appliance/__pycache__/service.*.pyc"))
    assert not [name for name in ("provision", "emulator", "templates") if (site / name).exists()]
    assert admin.upgrade(wheel) == Upgraded("already", "0.2.0", "0.2.0")
    assert admin.told == []
    other = program_wheel(tmp_path / "other", "0.2.0", appended="\n# another build\n")
    with pytest.raises(NotUpgraded, match="from another wheel"):
        admin.upgrade(other)


def test_upgrade_that_runs_already_is_told(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    wheel = program_wheel(tmp_path, "0.2.0")
    with (guest.programs / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(NotUpgraded, match="another upgrade of this appliance is under way"):
            admin.upgrade(wheel)
    assert not (guest.programs / "stage").exists()


def test_what_could_not_be_started_says_why(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    stage = next((guest.root / "opt/gurney" / OLD).glob("lib/*/site-packages/appliance/upgrade/stage.py"))
    with stage.open("a") as file:
        file.write(
            "\n\ndef read_stage(folder):\n    import os\n    os.write(2, b'no unit today\\n')\n    os._exit(1)\n"
        )
    with pytest.raises(NotServing, match="cut off: run the same command again; no unit today"):
        admin.upgrade(program_wheel(tmp_path, "0.2.0"))


def test_index_is_migrated_and_no_older_version_is_taken_then(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    assert admin.upgrade(program_wheel(tmp_path, "0.3.0", MIGRATION)).after == "0.3.0"
    assert guest.schema == "9001"
    assert (guest.archive / f"index-{SCHEMA}.sqlite").is_file()
    with pytest.raises(NotUpgraded, match="too old for this archive"):
        admin.upgrade(program_wheel(tmp_path, "0.2.0"))
    assert in_service(guest, "0.3.0")


@pytest.mark.parametrize("changed", [{}, MIGRATION], ids=["same index", "new index"])
@pytest.mark.parametrize(("broken", "patience_s"), [(ENDS, 60), (SILENT, 5)], ids=["ends", "is silent"])
def test_version_that_does_not_answer_is_rolled_back(
    admin: Admin, guest: StandIn, tmp_path: Path, changed: dict[str, str], broken: str, patience_s: int
) -> None:
    """Given up once it has ended three times or the time is over, however long the one before takes to be back."""
    wheel = program_wheel(tmp_path, "0.2.0", changed, appended=broken)
    with pytest.raises(NotUpgraded, match=rf"0\.2\.0: .*does not answer.*rolled back to {OLD}, which answers") as told:
        admin.upgrade(wheel, patience_s=patience_s)
    assert not isinstance(told.value, Unsettled), "other branches may follow"
    assert in_service(guest, OLD)
    assert guest.schema == SCHEMA


def test_version_that_ends_when_it_opens(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    """Rolled back where the old one can read the index; else left, since it may have acknowledged something."""
    with pytest.raises(NotUpgraded, match=f"rolled back to {OLD}"):
        admin.upgrade(program_wheel(tmp_path, "0.2.0", appended=ENDS_WHEN_OPEN))
    assert in_service(guest, OLD)
    with pytest.raises(NotServing, match="is not rolled back"):
        admin.upgrade(program_wheel(tmp_path, "0.3.0", MIGRATION, appended=ENDS_WHEN_OPEN))
    assert (guest.version, guest.schema) == ("0.3.0", "9001")


def test_version_before_that_does_not_answer_either(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    """Nobody knows then that the branch serves: none but this one is stopped."""
    site = next((guest.root / "opt/gurney" / OLD).glob("lib/*/site-packages/appliance"))
    with (site / "upgrade/upgrading.py").open("a") as file:
        file.write("\n\nBACK_S = 0.0\n")
    wheel = program_wheel(tmp_path, "0.2.0", appended=SILENT)
    with (site / "service.py").open("a") as file:
        file.write(SILENT)
    with pytest.raises(NotServing, match=rf"rolled back to {OLD}, which does not answer either"):
        admin.upgrade(wheel, patience_s=5)
    assert guest.version == OLD


def test_what_cannot_be_installed_never_stops_the_service(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    refused = {
        "lacks libraries.*no-such-library": program_wheel(tmp_path / "a", "0.2.0", {}, "no-such-library>=1"),
        "on purpose": program_wheel(tmp_path / "b", "0.2.1", appended="\nraise ImportError('on purpose')\n"),
        "cannot draw": program_wheel(
            tmp_path / "c", "0.2.2", {"converter/writing.py": "raise ImportError('cannot draw')\n"}
        ),
    }
    for why, wheel in refused.items():
        with pytest.raises(NotUpgraded, match=why) as told:
            admin.upgrade(wheel)
        assert not isinstance(told.value, Unsettled), "it never stopped"
        assert in_service(guest, OLD)
    assert guest.systemctl("show") == "0"
    assert guest.log().count("stopping") == 0


def test_index_that_cannot_be_migrated_is_left_as_it_was(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    name, text = next(iter(MIGRATION.items()))
    broken = {name: text + "    raise RuntimeError('on purpose')\n"}
    with pytest.raises(NotUpgraded, match=f"on purpose.*rolled back to {OLD}"):
        admin.upgrade(program_wheel(tmp_path, "0.2.0", broken))
    assert in_service(guest, OLD)
    assert guest.schema == SCHEMA


@pytest.mark.usefixtures("pip_itself")
def test_libraries_come_with_it(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "no_such_library", "1.5", {"no_such_library.py": b"VALUE = 5\n"})
    (wheels / "gurney-0.0.1-py3-none-any.whl").write_bytes(b"an older build, which is left alone")
    libraries = wheels / "libraries-1-py3-none-any.whl"
    pth = next((guest.root / "opt/gurney/current").glob("lib/*/site-packages/libraries.pth")).read_bytes()
    make_wheel(wheels, "libraries", "1", {"libraries.pth": pth})
    assert libraries.is_file()
    wheel = program_wheel(tmp_path, "0.2.0", {}, "no-such-library>=1", appended="\nimport no_such_library\n")
    assert admin.upgrade(wheel, wheels).after == "0.2.0"
    assert in_service(guest, "0.2.0")
    again = program_wheel(tmp_path, "0.2.1", {}, "no-such-library>=1", appended="\nimport no_such_library\n")
    assert admin.upgrade(again).after == "0.2.1"
    assert in_service(guest, "0.2.1")


def test_image_of_before_upgrades_is_told(admin: Admin, guest: StandIn, tmp_path: Path) -> None:
    for folder in (guest.root / "opt/gurney/current").glob("lib/*/site-packages/appliance/upgrade"):
        shutil.rmtree(folder)
    with pytest.raises(NotUpgraded, match="its image is too old"):
        admin.upgrade(program_wheel(tmp_path, "0.2.0"))


@pytest.mark.parametrize("content", [b"no zip", b""])
def test_file_that_is_no_wheel_is_named(admin: Admin, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "gurney-1.whl").write_bytes(content)
    with pytest.raises(NotUpgraded, match=r"gurney-1\.whl: not a wheel"):
        admin.upgrade(tmp_path / "gurney-1.whl")
    with pytest.raises(NotUpgraded, match="not a wheel of Gurney"):
        admin.upgrade(make_wheel(tmp_path, "click", "8", {"click.py": b""}))
    with pytest.raises(NotUpgraded, match="no wheels"):
        admin.upgrade(program_wheel(tmp_path, "0.2.0"), tmp_path / "nothing")
