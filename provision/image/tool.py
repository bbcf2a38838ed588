"""The programs that build: run, waited for, and explained when they fail."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

from provision.image.errors import ImageNotBuilt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Program to the Debian package that brings it.
PACKAGES = {
    "apt-get": "apt",
    "apt-cache": "apt",
    "mcopy": "mtools",
    "mke2fs": "e2fsprogs",
    "mkfs.fat": "dosfstools",
    "mmd": "mtools",
    "mmdebstrap": "mmdebstrap",
    "qemu-img": "qemu-utils",
    "sfdisk": "fdisk",
    "unshare": "util-linux",
}
#: Folders of programs that a user's PATH may lack.
PLACES = "/usr/local/sbin:/usr/sbin:/sbin"
LINES_SHOWN = 12
GRACE_S = 15.0
INTERRUPTING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NAMESPACE = ("unshare", "--map-root-user", "--map-auto", "--setuid", "0", "--setgid", "0")
#: Of root's own: what is mounted in it is gone with the last program in it.
APART = ("unshare", "--mount")


def run(
    arguments: Sequence[str],
    *,
    within: Sequence[str] = (),
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
) -> str:
    """
    Run a program, started by what stands in `within`, and return its standard output.

    Raises
    ------
    ImageNotBuilt
        It is not installed, or it failed: with its last words.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), PLACES))
    command = [*within, *arguments]
    try:
        program = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {}), "PATH": path},
            process_group=0,
        )
    except FileNotFoundError as error:
        raise ImageNotBuilt(_missing([command[0]])) from error
    with program, _ended(program):
        output, words = program.communicate(stdin)
    if program.returncode:
        raise ImageNotBuilt(f"{shlex.join(arguments[:2])} failed ({program.returncode}):\n{_last(words or output)}")
    return output


@contextlib.contextmanager
def _ended(program: subprocess.Popen[str]) -> Iterator[None]:
    """When the block is interrupted, end the program and all that it has started; it may clean up first."""
    try:
        yield
    except BaseException:
        with uninterrupted():
            for number in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    program.wait(GRACE_S)
        raise


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Go on through an impatient second Ctrl-C: for what only ends or removes something."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in INTERRUPTING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def require(programs: Sequence[str]) -> None:
    """
    Look for every program before the work begins.

    Raises
    ------
    ImageNotBuilt
        With the one command that installs all that are missing.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), PLACES))
    missing = [program for program in programs if shutil.which(program, path=path) is None]
    if missing:
        raise ImageNotBuilt(_missing(missing))


def as_root() -> list[str]:
    """What makes a program root: nothing, for root; else a user namespace of the user's own."""
    return [] if os.geteuid() == 0 else list(NAMESPACE)


def apart() -> list[str]:
    """What keeps root's mounts from the machine, where a container lets it; who is not root has a namespace anyway."""
    if os.geteuid() != 0:
        return []
    try:
        run([*APART, "true"])
    except ImageNotBuilt:
        return []
    return list(APART)


def require_root() -> None:
    """
    See that files can be given to other users.

    Raises
    ------
    ImageNotBuilt
        This is neither root, nor a user who may make user namespaces with more than one user in them.
    """
    try:
        run([*as_root(), "true"])
    except ImageNotBuilt as error:
        raise ImageNotBuilt(
            f"{error}\nBuild as root, or as a user with an entry in /etc/subuid and /etc/subgid (package uidmap) "
            "on a machine that allows user namespaces"
        ) from error


def _missing(programs: Sequence[str]) -> str:
    packages = sorted({PACKAGES.get(program, program) for program in programs})
    return f"{', '.join(programs)}: not installed here: apt-get install --no-install-recommends {' '.join(packages)}"


def _last(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines()[-LINES_SHOWN:])
