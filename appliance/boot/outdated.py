"""`python -m appliance.boot.outdated`: tell which programs still run code that an update has replaced.

It runs after each round of security updates. Nothing is restarted by it: when a hospital's images may be away for a
moment is for people to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.boot.machine import Machine, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What stands here is read by the service, and said by `gurney status`.
MARK = "restart-wanted"
KERNEL = "/run/reboot-required.pkgs"
#: Where Debian's packages have their code.
CODE = ("/usr/", "/lib", "/bin/", "/sbin/")
#: proc(5), /proc/pid/maps: address, permissions, offset, device, inode, path, and a word where that file is gone.
PERMISSIONS, PATH, GONE = 1, 5, " (deleted)"


def outdated(machine: Machine) -> list[str]:
    """The packages of a kernel that waits for its boot, and the units or commands that run replaced code."""
    kernel = machine.path(KERNEL)
    packages = set(kernel.read_text().split()) if kernel.is_file() else set()
    return [*sorted(packages), *sorted(set(_programs(machine)))]


def tell(machine: Machine) -> list[str]:
    """Say it on the console, and leave a mark until the machine boots or nothing is left; returns what was said."""
    found, mark = outdated(machine), machine.run_folder() / MARK
    if not found:
        mark.unlink(missing_ok=True)
    elif write(mark, "\n".join([*found, ""])):
        machine.say(f"updates take effect once the machine is started again: {', '.join(found)}")
    return found


def _programs(machine: Machine) -> Iterator[str]:
    code = tuple(f"{machine.root}{place}".replace("//", "/") for place in CODE)
    for folder in machine.path("/proc").glob("[0-9]*"):
        try:
            if any(_is_replaced(line, code) for line in (folder / "maps").read_text().splitlines()):
                yield _name(folder)
        except OSError:  # it has ended meanwhile
            continue


def _is_replaced(line: str, code: tuple[str, ...]) -> bool:
    fields = line.split(maxsplit=PATH)
    return len(fields) > PATH and "x" in fields[PERMISSIONS] and fields[PATH].startswith(code) and line.endswith(GONE)


def _name(folder: Path) -> str:
    """The unit that a process belongs to; its command where it belongs to none."""
    unit = (folder / "cgroup").read_text().strip().rpartition("/")[2]
    return unit if unit.endswith(".service") else (folder / "comm").read_text().strip()


if __name__ == "__main__":
    tell(Machine())
