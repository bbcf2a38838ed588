"""`python -m appliance.boot`: at boot; with `again` the context or a disk has changed; with `accounts` the staff."""

from __future__ import annotations

import sys

from appliance.boot.accounts import take_over_accounts
from appliance.boot.machine import Machine, Trouble
from appliance.boot.sequence import boot


def main(arguments: list[str]) -> int:
    """What the units of systemd call."""
    if arguments != ["accounts"]:
        return boot(again=arguments == ["again"])
    machine = Machine()
    try:
        machine.say(f"{take_over_accounts(machine)} people may open the shared folder")
    except (Trouble, OSError) as error:
        machine.trouble(str(error))
        return 1
    return 0


sys.exit(main(sys.argv[1:]))
