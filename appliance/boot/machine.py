"""The machine that boots: where its files and devices are, and the programs that change it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Result = TypeVar("Result")
PROGRAM_TIMEOUT_S = 120
#: mkfs and fsck of a large disk that is slow.
DISK_TIMEOUT_S = 800


class Trouble(Exception):
    """Something about this machine that a person must see to; the words say what."""


@dataclass
class Machine:
    """Paths of the machine (a test has another root), and what it said while it booted.

    Attributes
    ----------
    root
        Below which all files lie.
    troubles
        What was not right, in the order in which it was found.
    """

    root: Path = Path("/")
    troubles: list[str] = field(default_factory=list)

    def path(self, *parts: str) -> Path:
        """A file of the machine, by its absolute path."""
        return self.root.joinpath(*(part.lstrip("/") for part in parts))

    def run_folder(self) -> Path:
        """Where everything lies that is true until the next boot."""
        folder = self.path("/run/gurney")
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        return folder

    def say(self, words: str) -> None:
        """A line for the console and the journal."""
        print(f"gurney: {words}", flush=True)  # noqa: T201 - the console is where this program speaks

    def trouble(self, words: str) -> None:
        """A line that stands out, and is told again at the end."""
        self.troubles.append(words)
        self.say(f"*** {words}")

    def take(self, step: Callable[[], Result], otherwise: Result) -> Result:
        """
        Take a step; what goes wrong in it is told, and costs this step alone.

        Parameters
        ----------
        step
            Returns what has come of it.
        otherwise
            What comes back where it fails.
        """
        try:
            return step()
        except (Trouble, OSError) as error:
            self.trouble(str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours too must leave the way in by SSH, and the archive
            import traceback

            traceback.print_exc()
            self.trouble(f"a step failed as nobody had foreseen: {type(error).__name__}: {error}")
        return otherwise


def run(*arguments: str, stdin: str = "", timeout_s: float = PROGRAM_TIMEOUT_S) -> str:
    """
    Run a program and return its output.

    Raises
    ------
    Trouble
        It failed, or took too long; with its last line.
    """
    done = attempt(arguments, stdin=stdin, timeout_s=timeout_s)
    if done.returncode:
        raise Trouble(f"{arguments[0]} failed: {last_line(done.stderr or done.stdout) or done.returncode}")
    return done.stdout


def attempt(
    arguments: Sequence[str], *, stdin: str = "", timeout_s: float = PROGRAM_TIMEOUT_S
) -> subprocess.CompletedProcess[str]:
    """Run a program that may fail.

    Raises
    ------
    Trouble
        It is missing, or took too long.
    """
    try:
        return subprocess.run(
            arguments,
            input=stdin,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        raise Trouble(f"{arguments[0]} did not end within {timeout_s:.0f} s") from None
    except FileNotFoundError:
        raise Trouble(f"{arguments[0]} is not installed") from None


def last_line(text: str) -> str:
    """The last line that says something."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def write(path: Path, text: str, *, mode: int = 0o644, group: int = 0) -> bool:
    """Write a file whole, with its mode and group; False where it says the same already."""
    if path.is_file() and path.read_text() == text:
        return False
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        os.fchmod(descriptor, mode)
        if group and os.geteuid() == 0:
            os.fchown(descriptor, 0, group)
    new.replace(path)
    return True
