"""A user without root for one command: known in a mount namespace alone, so that the machine's own accounts stay."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from provision.image import tool

ROOT = Path(__file__).parent.parent.parent
NAME, NUMBER = "builder", 54321
#: What tells who there is, and a line for the user: a range of subordinate users, as Debian's `adduser` gives it.
ACCOUNTS = {
    "passwd": f"{NAME}:x:{NUMBER}:{NUMBER}::/nonexistent:/bin/sh\n",
    "group": f"{NAME}:x:{NUMBER}:\n",
    "subuid": f"{NAME}:1000000:65536\n",
    "subgid": f"{NAME}:1000000:65536\n",
}


@dataclass(frozen=True)
class Account:
    """A user with a home, in which lies all that it may write; where the tests are not root's, the one who runs them.

    Attributes
    ----------
    folder
        Of the account's own; the home is in it.
    """

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def give(self, path: Path) -> Path:
        """Let a file or a folder, with all that is in it, be the account's."""
        if os.geteuid() == 0:
            for each in (path, *path.rglob("*")):
                shutil.chown(each, NUMBER, NUMBER)
        return path

    def environment(self) -> dict[str, str]:
        return {**os.environ, "HOME": str(self.home), "TMPDIR": str(self.home / "tmp"),
                "XDG_CACHE_HOME": str(self.home / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip

    def command(self, *words: str) -> list[str]:
        """What runs a command as this user: the same process, from the first to the last."""
        if os.geteuid() != 0:
            return list(words)
        become = ["setpriv", f"--reuid={NUMBER}", f"--regid={NUMBER}", "--clear-groups", "--inh-caps=-all"]
        script = "\n".join(["set -e", *self._accounts(), *self._opened(), f'exec {shlex.join(become)} "$@"'])
        return ["unshare", "--mount", "sh", "-c", script, "sh", *words]

    def _accounts(self) -> list[str]:
        for name, line in ACCOUNTS.items():
            own = Path("/etc") / name
            (self.folder / name).write_text((own.read_text() if own.exists() else "") + line)
        return [f"mount --bind {self.folder / name} /etc/{name}" for name in ACCOUNTS]

    def _opened(self) -> list[str]:
        """Show what the account needs, where a folder above it is closed: in a stand-in that holds nothing else."""
        shown, laid = [], {}
        for path in (self.home, ROOT, Path(sys.base_prefix)):
            if closed := next((each for each in reversed(path.parents) if not each.stat().st_mode & 0o001), None):
                stand_in = laid.setdefault(closed, self.folder / f"instead{len(laid)}")
                place = stand_in / path.relative_to(closed)
                place.mkdir(parents=True, exist_ok=True)
                shown.append(f"mount --bind {path} {place}")
        # The one that covers the stand-ins themselves comes last.
        last = sorted(laid.items(), key=lambda pair: pair[0] in self.folder.parents)
        return [*shown, *(f"mount --rbind {stand_in} {closed}" for closed, stand_in in last)]


def new_account(folder: Path) -> Account:
    """One with an empty home; where the machine has no namespaces for it, the test is not for this machine."""
    if os.geteuid() == 0 and not tool.apart():
        pytest.skip("root may not mount here, and so no user can be made up for one command")
    nobody = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    if subprocess.run([*nobody, "unshare", "--user", "true"], capture_output=True, check=False).returncode:
        pytest.skip(
            "this machine lets nobody but root make user namespaces (kernel.unprivileged_userns_clone and others)"
        )
    account = Account(folder)
    (account.home / "tmp").mkdir(parents=True)
    account.give(account.home)
    return account
