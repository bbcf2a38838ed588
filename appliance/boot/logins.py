"""SSH: who may log in, and as whom the machine shows itself."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

from appliance.boot.machine import attempt, run, write
from appliance.disk import flush

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from appliance.boot.machine import Machine

VARIABLES = ("SSH_PUBLIC_KEY", "EC2_PUBLIC_KEY", "GURNEY_SSH_KEYS")
_KEY = re.compile(r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-\S+|sk-\S+) [A-Za-z0-9+/=]+( .*)?")
HOST_KEY = "ssh_host_ed25519_key"


def public_keys(variables: Mapping[str, str]) -> tuple[list[str], int]:
    """The keys of a context, each once, and how many lines are none."""
    lines = [line.strip() for name in VARIABLES for line in variables.get(name, "").splitlines() if line.strip()]
    keys = [line for line in lines if _KEY.fullmatch(line)]
    return list(dict.fromkeys(keys)), len(lines) - len(keys)


def allow_logins(machine: Machine, keys: Iterable[str]) -> bool:
    """Let exactly these keys in; False where they were."""
    folder = _folder(machine)
    return write(folder / "authorized_keys", "".join(f"{key}\n" for key in keys), mode=0o600)


def show_host_key(machine: Machine, kept: Path | None) -> str:
    """
    Use the host key that lies in `kept` (made there once); without a place to keep it, one until the next boot.

    One that cannot be read is put aside and another is made: nobody could help a machine that has no SSH.

    Returns
    -------
    str
        Its fingerprint, for the console.
    """
    folder = _folder(machine)
    source = kept or folder
    source.mkdir(mode=0o700, parents=True, exist_ok=True)
    public = public_half(source)
    if not public:
        _put_aside(machine, source / HOST_KEY)
        make_host_key(source)
        public = public_half(source)
    if kept is not None:
        write(folder / HOST_KEY, (kept / HOST_KEY).read_text(), mode=0o600)
    write(folder / f"{HOST_KEY}.pub", public)
    return fingerprint(public)


def public_half(folder: Path) -> str:
    """The public half of the key in a folder, taken from the private one; empty where that cannot be read."""
    key = folder / HOST_KEY
    if not key.is_file():
        return ""
    key.chmod(0o600)  # else it would not be read
    done = attempt(["ssh-keygen", "-y", "-P", "", "-f", str(key)])
    return "" if done.returncode else done.stdout


def fingerprint(public: str) -> str:
    """What OpenSSH shows of a public key."""
    digest = hashlib.sha256(base64.b64decode(public.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _put_aside(machine: Machine, key: Path) -> None:
    if key.exists():
        key.replace(key.with_name(f"{key.name}.unreadable"))
        machine.trouble("the SSH host key that was kept cannot be read, there is another now: compare its fingerprint")


def make_host_key(folder: Path) -> None:
    """Make a key pair, on the disk before its fingerprint is shown; the private half appears last."""
    new = folder / "new_key"
    for left in (new, new.with_suffix(".pub")):
        left.unlink(missing_ok=True)
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "gurney", "-f", str(new))
    flush(new, new.with_suffix(".pub"))
    new.with_suffix(".pub").replace(folder / f"{HOST_KEY}.pub")
    new.replace(folder / HOST_KEY)
    flush(folder)


def _folder(machine: Machine) -> Path:
    folder = machine.run_folder() / "ssh"
    folder.mkdir(mode=0o755, exist_ok=True)
    return folder
