"""The steps of a boot, in order: one that fails is told on the console and does not stop the others."""

from __future__ import annotations

import os
import re
from functools import partial
from typing import TYPE_CHECKING

from appliance.boot.archive_disk import STATE, gigabytes, grow, mount_archive
from appliance.boot.cards import cards
from appliance.boot.clock import set_time_servers
from appliance.boot.context_disc import read_disc
from appliance.boot.firewall import open_firewall
from appliance.boot.folders import folders, mount_folder
from appliance.boot.logins import allow_logins, public_keys, show_host_key
from appliance.boot.machine import Machine, attempt, write
from appliance.boot.names import host_name, set_host_name
from appliance.boot.network import reload_network, set_up_network
from appliance.boot.programs import show_programs
from appliance.boot.remote_exchange import mount_remote
from appliance.boot.start_script import lay_out_start_script
from appliance.context import REQUIRED, parse, read_context
from appliance.errors import BadContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from appliance.boot.cards import Card

#: Stands while the service would not accept the context; it is not started then.
WRONG = "wrong-context"
#: What shows the archive.
SERVICES = ("gurney.service", "smbd.service")
#: What has not been started where the archive was not there at boot.
WATCHERS = ("gurney-accounts.path", "gurney-accounts.service", "gurney-fingerprint.path")
AGAIN_WAIT_S = 2.0
#: A change of these needs the service to be started again; a change of any other does not disturb it.
FOR_SERVICE = re.compile(rf"{'|'.join(REQUIRED)}|ONEGATE_ENDPOINT|GURNEY_EXCHANGE|GURNEY_TIME_ZONE|DISK\d+_MOUNT_\w+")


def boot(machine: Machine | None = None, *, again: bool = False) -> int:
    """
    Make the machine what its context says.

    Parameters
    ----------
    machine
        This one, where none is given.
    again
        It runs already; what has changed is taken over by what runs.

    Returns
    -------
    int
        0, or 1 where something has to be seen to.
    """
    steps = _Boot(machine or Machine(), again=again)
    steps.take()
    return 1 if steps.machine.troubles else 0


class _Boot:
    """One boot: the steps share what the context says."""

    def __init__(self, machine: Machine, *, again: bool) -> None:
        self.machine = machine
        self.again = again
        self.variables: Mapping[str, str] = {}
        self.cards: tuple[Card, ...] = ()
        self.changed: set[str] = set()
        self.refused = ""

    def take(self) -> None:
        self._read()
        if self.again and not self.variables:  # what is known stays: a disc that is being replaced closes nothing
            self._note("archive", lambda: grow(self.machine))
            return
        self._machine_itself()
        archive = self._open_archive()
        host_key = self.machine.take(lambda: show_host_key(self.machine, archive / "ssh" if archive else None), "")
        self._mount_folders()
        self._note("script", lambda: lay_out_start_script(self.machine, self.variables))
        self.machine.take(self._judge_context, None)
        self._tell(archive, host_key)
        if self.again:
            self._hand_over()

    def _read(self) -> None:
        """The context, and the cards in it."""
        before = self._told_to_service()
        self.variables = self.machine.take(partial(read_disc, self.machine, **self._patience()), {})
        if before != self._told_to_service():
            self.changed.add("context")
        self.cards = self.machine.take(lambda: cards(self.variables), ())
        for words in (words for card in self.cards for words in card.wrong):
            self.machine.trouble(words)

    def _open_archive(self) -> Path | None:
        """Mount it, and let it use all of its disk; what waits for it is told."""
        was_open = os.path.ismount(self.machine.path(STATE))
        archive = self.machine.take(lambda: mount_archive(self.machine, self.variables), None)
        if was_open and archive is None:
            self.refused = self.machine.troubles[-1]
        self._note("archive", lambda: grow(self.machine))
        if archive is not None:
            self._note("programs", lambda: show_programs(self.machine))
        if archive is not None and not was_open:
            self.changed.add("context")
        return archive

    def _machine_itself(self) -> None:
        """Name, network, firewall, logins and clock: what SSH needs comes before any disk."""
        machine, variables = self.machine, self.variables
        dns, domains = (variables.get(name, "").split() for name in ("DNS", "SEARCH_DOMAIN"))
        self._note("name", lambda: set_host_name(machine, host_name(variables)))
        self._note("network", lambda: set_up_network(machine, self.cards, dns, domains))
        self._note("firewall", lambda: open_firewall(machine, self.cards, variables))
        keys, wrong = public_keys(variables)
        if wrong:
            machine.trouble(f"SSH_PUBLIC_KEY in the context: {wrong} lines are no public keys")
        self._note("logins", lambda: allow_logins(machine, keys))
        self._note("clock", lambda: set_time_servers(machine, variables, self.cards))

    def _mount_folders(self) -> None:
        found, wrong = folders(self.variables)
        for words in wrong:
            self.machine.trouble(words)
        for folder in found:
            self._note("folders", partial(mount_folder, self.machine, folder))
        self._note("folders", lambda: mount_remote(self.machine, self.variables))

    def _judge_context(self) -> None:
        """Whether the service may start with the context: what is wrong is said in words for people, and it waits."""
        wrong, words = self.machine.run_folder() / WRONG, self.refused or self._not_accepted()
        if words:
            write(wrong, f"{words}\n")
            self.machine.trouble(f"the service cannot start: {words}")
        else:
            wrong.unlink(missing_ok=True)

    def _not_accepted(self) -> str:
        """Why the service would not accept the context."""
        try:
            if self.variables:
                read_context(self.machine.path("/run/gurney/context"), {})
        except BadContext as error:
            return str(error)
        return ""

    def _tell(self, archive: Path | None, host_key: str) -> None:
        addresses = " ".join(str(address.ip) for card in self.cards for address in card.addresses)
        who = f"{self.variables.get('GURNEY_BRANCH', 'nobody')} of {self.variables.get('GURNEY_COMMUNITY', 'nowhere')}"
        self.machine.say(f"this is {who}, at {addresses or 'an address that DHCP gives'}")
        self.machine.say(f"archive: {_room(archive) if archive else 'none'}; SSH host key: {host_key or 'none'}")
        if self.machine.troubles:
            self.machine.say(f"{len(self.machine.troubles)} things are not right, see *** above")

    def _hand_over(self) -> None:
        """What runs already takes over what has changed."""
        if "network" in self.changed:
            self.machine.take(reload_network, None)
        if "clock" in self.changed:
            attempt(["systemctl", "--no-block", "try-restart", "systemd-timesyncd.service"])
        if "script" in self.changed:
            attempt(["systemctl", "--no-block", "restart", "gurney-start-script.service"])
        if self.refused:
            attempt(["systemctl", "--no-block", "stop", *SERVICES])
        elif {"context", "folders"} & self.changed:
            attempt(["systemctl", "--no-block", "restart", *SERVICES])
            attempt(["systemctl", "--no-block", "start", *WATCHERS])

    def _told_to_service(self) -> dict[str, str]:
        """What the service reads of the context that was taken over last; empty before the first."""
        path = self.machine.path("/run/gurney/context/context.sh")
        variables = parse(path.read_text()) if path.is_file() else {}
        return {name: value for name, value in variables.items() if FOR_SERVICE.fullmatch(name)}

    def _patience(self) -> dict[str, float]:
        return {"wait_s": AGAIN_WAIT_S} if self.again else {}

    def _note(self, subject: str, step: Callable[[], bool]) -> None:
        if self.machine.take(step, False):
            self.changed.add(subject)


def _room(archive: Path) -> str:
    usage = os.statvfs(archive)
    free, total = (gigabytes(blocks * usage.f_frsize) for blocks in (usage.f_bavail, usage.f_blocks))
    return f"{free} free of {total}"
