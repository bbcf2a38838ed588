"""The people side of an appliance: what the service makes, starts and stops of it."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import httpx

from appliance.accounts.entrance import Entrance
from appliance.accounts.lockout import Lockout
from appliance.accounts.sessions import Sessions
from appliance.accounts.smb_accounts import PAUSE_S, SmbAccounts
from appliance.accounts.staff import Staff
from appliance.audit import Audit
from appliance.enrolment.directory import KnownDirectory
from appliance.enrolment.enrolment import Enrolment
from appliance.enrolment.reading import Reading
from appliance.inbox.inbox import PAUSE_S as INBOX_PAUSE_S
from appliance.inbox.inbox import Inbox
from appliance.loop import Loop
from appliance.referral.branch import Branch
from appliance.referral.outbox_watch import PAUSE_S as OUTBOX_PAUSE_S
from appliance.referral.outbox_watch import OutboxWatch
from appliance.referral.receiving import Receiving
from appliance.referral.request import Desk
from appliance.referral.sending import Sending
from appliance.settings import CurrentSettings
from appliance.tls import Tls
from exchange.folder import Folder
from exchange.keys import own_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from appliance.context import Context
    from appliance.health import Health
    from appliance.index.engine import Index
    from appliance.keeping.archive import Archive

ANSWER_S = 2.0


@dataclass(frozen=True)
class HttpPlace:
    """Where the pages are served: in clear, and over TLS once there is a certificate (0 for nowhere)."""

    address: str
    port: int
    secure_port: int = 0

    @property
    def url(self) -> str:
        """The root of the pages in clear."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"


class People:
    """Everything about people, and about other branches: staff, pages, API, audit, enrolment, referrals.

    Parameters
    ----------
    context
        Who this appliance is.
    archive, index
        Where images and rows are kept.
    health
        Asked at each `GET /health`.
    http
        Where the service serves the pages.
    """

    def __init__(
        self, context: Context, archive: Archive, index: Index, health: Callable[[], Health], http: HttpPlace
    ) -> None:
        self.context = context
        self.archive = archive
        self.index = index
        self.health = health
        self.http = http
        self.audit = Audit(index)
        self.settings = CurrentSettings(index)
        self.directory = KnownDirectory(index)
        self.sessions = Sessions(index)
        names = frozenset({context.community, context.branch, context.ae_title})
        staff = Staff(index, self.settings, names)
        self.entrance = Entrance(self.settings, staff, self.sessions, Lockout(), self.audit)
        exchange, outbox = Folder(context.exchange), Folder(context.outbox)
        me = Branch(context.branch, own_keys(archive.keys))
        self.tls = Tls(archive.keys)
        reading = Reading(context, me.keys, exchange, self.directory, self.settings, self.audit)
        self.enrolment = Enrolment(context, me.keys, self.tls, archive.keys, reading, self._is_serving)
        sending = Sending(me, index, exchange, outbox, self.directory, self.audit)
        receiving = Receiving(me, archive, exchange, outbox, self.directory, self.settings, self.audit)
        self._receiving = receiving
        self.outbox = OutboxWatch(context.outbox)
        self.inbox = Inbox(archive, context.branch, self.settings, self.audit)
        sending_loop = Loop("sending", sending.step, lambda: sending.pause_s)
        self._loops = (
            Loop("enrolment", self.enrolment.step, lambda: self.enrolment.pause_s),
            sending_loop,
            Loop("receiving", receiving.step, lambda: receiving.pause_s),
            Loop("outbox", self.outbox.step, lambda: OUTBOX_PAUSE_S),
            Loop("inbox", self.inbox.step, lambda: INBOX_PAUSE_S),
            Loop("shared folder", SmbAccounts(index, archive.folder, self.inbox.shares).publish, lambda: PAUSE_S),
        )
        limit = self.settings.outbox_bytes
        self.desk = Desk(context.branch, index, self.directory, self.audit, archive.path_of, sending_loop.wake, limit)

    def prepare(self) -> None:
        """Read what was known before the process was started. Once, before the pages are served."""
        self.directory.restore(self.context.community_key)
        self.settings.restore(self.context.community_key)
        self.tls.restore()

    @property
    def secure_port(self) -> int:
        """Where the pages are served over TLS now; 0 where they are not."""
        return self.http.secure_port if self.tls.ready else 0

    def start(self) -> None:
        """Begin to enrol, to send and to receive."""
        for loop in self._loops:
            loop.start()

    def stop(self, timeout_s: float = 8.0) -> None:
        """End the loops; what is half done goes on at the next start."""
        self.inbox.stop()
        for loop in self._loops:
            loop.stop()
        end = monotonic() + timeout_s
        for loop in self._loops:
            loop.join(max(0.0, end - monotonic()))
        self._receiving.stop()
        self.enrolment.stop()

    def _is_serving(self) -> bool:
        """Whether the pages answer over the network, and DICOM does."""
        try:
            answer = httpx.get(f"{self.http.url}/health", timeout=ANSWER_S, trust_env=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK and bool(answer.json()["dicom"])
