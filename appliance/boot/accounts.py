"""The accounts of the shared folder: what the service lists becomes what Samba accepts."""

from __future__ import annotations

import grp
import os
import pwd
import re
from typing import TYPE_CHECKING, NamedTuple

from appliance.boot.machine import Trouble, run, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.boot.machine import Machine

LIST = "/var/lib/gurney/archive/smb-accounts"
#: Stands while a change of the list has not been looked at.
CHANGED = f"{LIST}.changed"
#: Samba's own list, smbpasswd(5); it is made anew at each boot.
SAMBA_LIST = "/run/gurney/smbpasswd"
#: The list that was last taken over whole: whose entry in it is gone or another has no session any more.
TAKEN = "/run/gurney/smb-accounts"
#: What smb.conf says of the inbox today; it is included there.
INBOX = "/run/gurney/smb-inbox.conf"
GROUP = "gurney-staff"
#: The service writes the list and may be in a stranger's hands: nothing else passes. useradd takes 32 characters.
_LINE = re.compile(r"([a-z0-9][a-z0-9._-]{0,31}):([0-9A-F]{32})(?::(inbox|inbox-read))?")
_RIGHTS, _WRITING = frozenset({"inbox", "inbox-read"}), frozenset({"inbox"})
LONGEST = 1 << 20
MOST = 2000


class Entry(NamedTuple):
    """What the list says of a person: the hash of the password, and the right in the inbox, if any."""

    digest: str
    inbox: str = ""


def take_over_accounts(machine: Machine) -> int:
    """
    Give each person of the list an account in Samba, and nobody else; who has lost it, or has another one now, is out.

    Returns
    -------
    int
        How many there are.

    Raises
    ------
    Trouble
        The list is not what the service writes, or a session does not end.
    """
    machine.path(CHANGED).unlink(missing_ok=True)  # before the list is read: a later change leaves another
    text = _text(machine)
    wanted = accounts(text)
    numbers = {login: number for login in wanted if (number := _number(login)) is not None}
    lines = (_line(login, numbers[login], wanted[login].digest) for login in sorted(numbers))
    write(machine.path(SAMBA_LIST), "".join(lines), mode=0o600)
    _open_inbox(machine, {login: wanted[login].inbox for login in sorted(numbers)})
    _put_out(machine, {login: wanted[login] for login in numbers})
    write(machine.path(TAKEN), text, mode=0o600)
    return len(numbers)


def accounts(text: str) -> Mapping[str, Entry]:
    """
    Login to entry.

    Raises
    ------
    Trouble
        A line is neither `login:hash` nor `login:hash:right`.
    """
    found = [_LINE.fullmatch(line) for line in text.splitlines()]
    if None in found or len(found) > MOST:
        raise Trouble("the list of accounts is not what the service writes: nobody is let in anew")
    return {each[1]: Entry(each[2], each[3] or "") for each in found if each}


def people() -> Mapping[str, int]:
    """Logins that this machine has for the shared folder, to their user ids: those of the past as well."""
    group = grp.getgrnam(GROUP).gr_gid
    return {entry.pw_name: entry.pw_uid for entry in pwd.getpwall() if entry.pw_gid == group}


def _open_inbox(machine: Machine, rights: Mapping[str, str]) -> None:
    """Let people into the share of the inbox; where there is nobody for it, there is no such share."""
    readers, writers = ([login for login, right in rights.items() if right in these] for these in (_RIGHTS, _WRITING))
    lines = [f"available = {'yes' if readers else 'no'}"]
    lines += [f"valid users = {' '.join(readers)}", f"write list = {' '.join(writers)}"] if readers else []
    write(machine.path(INBOX), "".join(f"{line}\n" for line in lines))


def _put_out(machine: Machine, wanted: Mapping[str, Entry]) -> None:
    """End the sessions of all but those whose entry is as it was; at a boot there are none."""
    if not machine.path(TAKEN).is_file():
        return
    from appliance.boot.smb_sessions import end_sessions  # a boot need not load it

    before = accounts(machine.path(TAKEN).read_text())
    staying = {login for login, entry in wanted.items() if before.get(login, entry) == entry}
    end_sessions(machine, {number for login, number in people().items() if login not in staying})


def _text(machine: Machine) -> str:
    """The list, read as a file that an unprivileged user may have replaced by something else."""
    try:
        descriptor = os.open(machine.path(LIST), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return ""
    with os.fdopen(descriptor, "rb") as file:
        return file.read(LONGEST).decode("ascii", "replace")


def _number(login: str) -> int | None:
    """The user id of a person, who is made where there is none; None where the name is somebody else's."""
    group = grp.getgrnam(GROUP).gr_gid
    try:
        entry = pwd.getpwnam(login)
    except KeyError:
        options = ["--no-create-home", "--gid", str(group), "--shell", "/usr/sbin/nologin", "-K", "UID_MIN=2000"]
        run("useradd", "--badname", *options, login)
        entry = pwd.getpwnam(login)
    return entry.pw_uid if entry.pw_gid == group else None


def _line(login: str, number: int, digest: str) -> str:
    return f"{login}:{number}:{'X' * 32}:{digest}:[U          ]:LCT-00000001:\n"
