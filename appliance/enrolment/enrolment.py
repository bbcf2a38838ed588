"""The enrolment of one appliance, step by step: apply, be named in the directory, find the settings, report ready."""

from __future__ import annotations

from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

import structlog

from appliance.enrolment.application import NOT_READY, apply
from appliance.enrolment.onegate import OneGateFailed, report
from appliance.remarks import Remarks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from appliance.context import Context, OneGate
    from appliance.enrolment.reading import Reading
    from appliance.tls import Tls
    from exchange.keys import BranchKeys

log = structlog.get_logger("appliance.enrolment")

#: Quick until the appliance is of use; then a removed person or a new scanner is known within this time.
ENROLLING_PAUSE_S = 0.5
ENROLLED_PAUSE_S = 5.0

#: How long a service that ends waits for OneGate, of which a name server may be a part.
ENDING_S = 1.0


class Enrolment:
    """Where this appliance stands, and its next step.

    Parameters
    ----------
    context, keys
        Who this is, and how it proves it.
    tls
        Asks for a certificate, and shows the one that the directory has for us.
    folder
        Where the application waits if the cloud has no OneGate.
    reading
        What the community publishes.
    serving
        Tells whether DICOM and HTTP answer.
    """

    def __init__(
        self,
        context: Context,
        keys: BranchKeys,
        tls: Tls,
        folder: Path,
        reading: Reading,
        serving: Callable[[], bool],
    ) -> None:
        self._context = context
        self._keys = keys
        self._tls = tls
        self._remarks = Remarks(log)
        self._folder = folder
        self._reading = reading
        self._serving = serving
        self._applied = False
        self._said_ready = False
        self._reported_ready = False
        log.info("keys", branch=context.branch, fingerprint=keys.public.fingerprint)

    @property
    def enrolled(self) -> bool:
        """Whether the directory names this branch with the keys that lie here."""
        return self._reading.enrolled

    @property
    def pause_s(self) -> float:
        """Seconds until the next step."""
        return ENROLLED_PAUSE_S if self._reading.complete and self._reported_ready else ENROLLING_PAUSE_S

    def step(self) -> None:
        """Do what can be done now; what fails is tried at the next step."""
        self._reading.read()
        self._remarks.say("certificate", *self._tls.take(*self._reading.certificates))
        if not self._applied:
            apply(self._context, self._keys, self._tls.key, self._folder)
            self._applied = True
        if not self._reported_ready and self._serving():
            self._report_ready()

    def stop(self) -> None:
        """Take back that this is, or may be, ready; where OneGate does not answer at once, the next start does."""
        if self._said_ready and self._context.onegate is not None:
            told = Thread(target=self._take_back, args=(self._context.onegate,), name="not ready", daemon=True)
            told.start()
            told.join(ENDING_S)

    def _take_back(self, onegate: OneGate) -> None:
        with suppress(OneGateFailed):
            report(onegate, self._context.vm_id, NOT_READY)

    def _report_ready(self) -> None:
        if self._context.onegate is not None:
            self._said_ready = True  # before the answer, which may be lost
            report(self._context.onegate, self._context.vm_id, {"READY": "YES"})
        self._reported_ready = True
        log.info("ready", branch=self._context.branch)
