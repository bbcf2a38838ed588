"""Sessions of the shared folder that are open: found by smbstatus(1), and ended for those who may be in no longer."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from appliance.boot.machine import Trouble, run

if TYPE_CHECKING:
    from collections.abc import Collection

    from appliance.boot.machine import Machine

CONFIGURATION = "/etc/samba/smb.conf"
#: Who was being let in while the list changed shows up a moment later.
PAUSE_S = 1.0
LOOKS = 10


def end_sessions(machine: Machine, numbers: Collection[int]) -> None:
    """
    End every session of these users; who shares a connection with one of them connects again by himself.

    Parameters
    ----------
    machine
        Whose Samba it is.
    numbers
        User ids.

    Raises
    ------
    Trouble
        Samba does not tell who is in, or a session does not end.
    """
    ended: set[int] = set()
    for look in range(LOOKS):
        found = _processes(machine, numbers)
        if look and not found:
            break
        for each in found:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGTERM)
        ended |= found
        time.sleep(PAUSE_S)
    else:
        raise Trouble(f"the shared folder is still open to who may be in no longer: processes {sorted(found)}")
    if ended:
        machine.say(f"connections to the shared folder that were ended: {len(ended)}")


def _processes(machine: Machine, numbers: Collection[int]) -> set[int]:
    """The processes of Samba, one a connection, in which one of these users has a session."""
    told = run("smbstatus", "--configfile", str(machine.path(CONFIGURATION)), "--processes", "--json")
    try:
        sessions = json.loads(told)["sessions"].values()
        return {int(each["server_id"]["pid"]) for each in sessions if each["uid"] in numbers}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise Trouble("smbstatus does not tell who has opened the shared folder") from error
