"""The service as systemd runs it: stopped, started, and asked whether it answers."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.boot.machine import Trouble, attempt, last_line
from appliance.context import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.boot.machine import Machine

UNIT = "gurney.service"
SYSTEMCTL, JOURNAL = "/usr/bin/systemctl", "/usr/bin/journalctl"
CONTEXT = "/run/gurney/context/context.sh"
CALLING = "GURNEY"
#: A service that has ended by itself so often since it was started will not come up.
ENDS_MOST = 3
PAUSE_S = 0.5
ANSWER_S = 5.0


@dataclass(frozen=True)
class Service:
    """The service of a machine, and where it answers."""

    machine: Machine
    address: str = "127.0.0.1"
    http_port: int = 8080
    dicom_port: int = 11112
    patience_s: float = 180.0

    def stop(self) -> None:
        """Stop it, and wait until it has ended."""
        self._tell("stop")

    def start(self) -> None:
        """Start it; that it answers is another matter."""
        self._tell("start")

    def wait_until_it_answers(self, *, opened: bool = False, at_least_s: float = 0.0) -> None:
        """
        Wait until the page and DICOM answer, as this branch's.

        Parameters
        ----------
        opened
            It has to answer everyone; else it may still be closed.
        at_least_s
            How long is waited for it however little patience an admin has.

        Raises
        ------
        Trouble
            They do not, with what does not and the service's last words.
        """
        context = parse(self.machine.path(CONTEXT).read_text(encoding="utf-8"))
        end = time.monotonic() + max(self.patience_s, at_least_s)
        while (wrong := self.wrong(context, opened=opened)) and time.monotonic() < end and self._ends() < ENDS_MOST:
            time.sleep(PAUSE_S)
        if wrong:
            raise Trouble(f"{wrong}{self._last_words()}")

    def wrong(self, context: Mapping[str, str], *, opened: bool) -> str:
        """What is wrong with it; empty where it answers as it should."""
        try:
            health = _get(f"http://{self.address}:{self.http_port}/health")
        except (OSError, ValueError) as error:
            return f"the page does not answer ({error})"
        if health.get("branch") != context.get("GURNEY_BRANCH"):
            return f"the page is that of {health.get('branch')!r}"
        if opened and health.get("closed"):
            return "it does not open"
        return "" if health.get("dicom") and self._echoes(context) else "DICOM does not answer"

    def _echoes(self, context: Mapping[str, str]) -> bool:
        from appliance.dimse.scu import Peer, echo  # 0.3 s that no boot needs

        return echo(Peer(context.get("GURNEY_AE_TITLE", ""), self.address, self.dicom_port), CALLING)

    def _tell(self, order: str) -> None:
        done = attempt([self._program(SYSTEMCTL), order, UNIT])
        if done.returncode:
            raise Trouble(f"systemctl {order} {UNIT}: {last_line(done.stderr) or done.returncode}")

    def _ends(self) -> int:
        said = attempt([self._program(SYSTEMCTL), "show", UNIT, "-p", "NRestarts", "--value"]).stdout.strip()
        return int(said) if said.isdigit() else 0

    def _last_words(self) -> str:
        path = self.machine.path(JOURNAL)
        said = attempt([str(path), "-u", UNIT, "-n", "1", "-o", "cat", "--no-pager"]).stdout if path.exists() else ""
        return f"; its last words: {last_line(said)}" if last_line(said) else ""

    def _program(self, path: str) -> str:
        return str(self.machine.path(path))


class NotRunning(Service):
    """The service while the machine boots: systemd starts it later."""

    def stop(self) -> None:
        """It does not run."""

    def start(self) -> None:
        """It is systemd that will."""

    def wait_until_it_answers(self, *, opened: bool = False, at_least_s: float = 0.0) -> None:
        """Nobody waits."""


def _get(url: str) -> Mapping[str, object]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=ANSWER_S) as answer:  # the scheme is ours
        told = json.loads(answer.read(1 << 16))
    if not isinstance(told, dict):
        raise ValueError("no object")  # noqa: TRY004 - wrong content, as what is no JSON
    return told
