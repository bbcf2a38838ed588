"""The environment of a version: made beside the present one, tried, and marked whole at last."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from appliance.boot.archive_disk import gigabytes
from appliance.boot.machine import Trouble, attempt, last_line, write
from appliance.disk import flush
from appliance.upgrade.programs import NOTES, SITE
from appliance.upgrade.release import Release, own_release
from appliance.upgrade.stage import INSTALLER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from appliance.upgrade.programs import Programs
    from appliance.upgrade.stage import Stage

#: Packages of the wheel that reach a cloud, or stand for one: a machine of the cloud has no use for them.
NOT_HERE = ("emulator", "provision", "templates")
PIP = ("--isolated", "--no-cache-dir", "--disable-pip-version-check", "--no-input")
INSTALL = (
    "install",
    "--quiet",
    "--no-index",
    "--no-deps",
    "--no-compile",
    "--no-warn-script-location",
    "--require-hashes",
)
#: What a version must be able to do before the present one is stopped for it: to serve, and to draw, which is another
#: process's.
TRIAL = "import appliance.service, appliance.pictures.drawing, appliance.index.engine, cli.main"
#: Bytecode is as large as what it is made of; and a disk is never filled to its end.
ROOM, SPARE = 2.0, 64 * 1024 * 1024
BUILD_TIMEOUT_S = 1800


def make_environment(programs: Programs, stage: Stage, before: Release) -> Release:
    """
    Install a version.

    Raises
    ------
    Trouble
        It cannot be installed here; nothing of it is left.
    """
    release = Release(stage.version, stage.place, stage.digest, own_release().version)
    folder = programs.folder / release.place
    base = None if stage.others else programs.environment(before) / SITE
    _require_room(programs.folder, stage, base)
    try:
        _lay_out(programs, folder, base)
        _install(programs, stage, release)
        os.sync()
        write(folder / NOTES, release.text())
        flush(folder)
    except (Trouble, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return release


def size_of(folder: Path) -> int:
    """Bytes that the files of a folder take."""
    return sum(path.lstat().st_size for path in folder.rglob("*"))


def _require_room(folder: Path, stage: Stage, base: Path | None) -> None:
    needed = int(stage.size * ROOM) + (size_of(base) if base else 0) + SPARE
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise Trouble(f"the archive's disk has {gigabytes(free)} free, {stage.version} needs {gigabytes(needed)}")


def _lay_out(programs: Programs, folder: Path, base: Path | None) -> None:
    """An environment without the program: the image's Python, and the libraries of the present version."""
    site = folder / SITE
    site.parent.mkdir(parents=True)
    if base is None:
        site.mkdir()
    else:
        own = {name for info in base.glob("gurney-*.dist-info") for name in (info.name, *_packages_of(info))}
        shutil.copytree(base, site, symlinks=True, ignore=lambda at, _: own if Path(at) == base else ())
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to((programs.image / "bin" / "python").readlink())
    shutil.copyfile(programs.image / "pyvenv.cfg", folder / "pyvenv.cfg")


def _packages_of(info: Path) -> list[str]:
    listed = info / "top_level.txt"
    return listed.read_text().split() if listed.is_file() else []


def _install(programs: Programs, stage: Stage, release: Release) -> None:
    environment = programs.environment(release)
    python = str(environment / "bin" / "python")
    _install_wheels(python, stage)
    site = programs.folder / release.place / SITE
    info = site / f"gurney-{stage.version}.dist-info"
    if not info.is_dir():
        raise Trouble(f"{stage.program} is not Gurney {stage.version}")
    for name in NOT_HERE:
        shutil.rmtree(site / name, ignore_errors=True)
    seen = environment / SITE
    fresh = [seen] if stage.others else [seen / name for name in _packages_of(info) if (seen / name).is_dir()]
    _run([python, "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash", *map(str, fresh)])
    _run([python, "-I", "-c", TRIAL])


def _install_wheels(python: str, stage: Stage) -> None:
    wanted = _write_requirements(stage)
    with TemporaryDirectory(dir=stage.folder) as unpacked:  # out of its zip, pip compiles itself at each run
        shutil.unpack_archive(stage.folder / INSTALLER, unpacked, "zip")
        pip = [python, "-I", f"{unpacked}/pip", *PIP]
        _run([*pip, *INSTALL, "--requirement", str(wanted)])
        said = attempt([*pip, "check"], timeout_s=BUILD_TIMEOUT_S)
    if said.returncode:
        raise Trouble(f"{stage.version} lacks libraries: {last_line(said.stdout)}: send them with it (--wheels FOLDER)")


def _write_requirements(stage: Stage) -> Path:
    """Requirements with checksums: pip compares them again: between our look and its own, nothing can be replaced."""
    lines = [f"{stage.folder / name} --hash=sha256:{stage.digests[name]}" for name in (stage.program, *stage.others)]
    path = stage.folder / "requirements.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def _run(command: Sequence[str]) -> None:
    done = attempt(command, timeout_s=BUILD_TIMEOUT_S)
    if done.returncode:
        raise Trouble(last_line(done.stderr) or last_line(done.stdout) or f"{command[0]} ended with {done.returncode}")
