"""The reading of what the community publishes: the directory, and this branch's settings; never anything older."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from appliance.accounts.staff import dismiss_others
from appliance.remarks import Remarks
from exchange import directory, settings
from exchange.errors import ExchangeError, NoDirectory, NotThere
from exchange.keys import VerifyKey

if TYPE_CHECKING:
    from appliance.audit import Audit
    from appliance.context import Context
    from appliance.enrolment.directory import KnownDirectory
    from appliance.settings import CurrentSettings
    from exchange.keys import BranchKeys
    from exchange.settings import Settings
    from exchange.store import Reader

log = structlog.get_logger("appliance.enrolment")


class Reading:
    """Reads, checks and remembers; what cannot be read leaves what was known as it is.

    Parameters
    ----------
    context, keys
        Whose signatures count, and who this is; the settings are sealed to these keys.
    exchange
        The whole exchange.
    known, current, audit
        Where what is read goes to.
    """

    def __init__(
        self,
        context: Context,
        keys: BranchKeys,
        exchange: Reader,
        known: KnownDirectory,
        current: CurrentSettings,
        audit: Audit,
    ) -> None:
        self._context = context
        self._keys = keys
        self._exchange = exchange
        self._known = known
        self._current = current
        self._audit = audit
        self._trusted = (VerifyKey(context.community_key), VerifyKey(context.recovery_key))
        self._remarks = Remarks(log)

    @property
    def enrolled(self) -> bool:
        """Whether the directory names this branch with the keys that lie here."""
        entry = self._known.value.find(self._context.branch) if self._known.value is not None else None
        return entry is not None and not entry.revoked and entry.keys == self._keys.public

    @property
    def complete(self) -> bool:
        """Whether there is nothing left that a first start waits for."""
        return self.enrolled and self._current.value is not None

    @property
    def certificates(self) -> tuple[str, str]:
        """Our certificate and the authority's, as the directory has them; empty where it has none for these keys."""
        directory = self._known.value
        entry = directory.find(self._context.branch) if directory is not None and self.enrolled else None
        return (entry.certificate, directory.authority) if entry is not None and directory is not None else ("", "")

    def read(self) -> None:
        """Look for a newer directory, and for newer settings once this appliance is enrolled."""
        self._remarks.say("directory", *self._read_directory())
        self._remarks.say("enrolment", *self._why_not())
        if self.enrolled:
            self._remarks.say("settings", *self._read_settings())

    def _read_directory(self) -> tuple[str, ...]:
        """Take a newer directory; what is to be remarked."""
        community, floor = self._context.community, self._known.floor
        try:
            found = directory.latest(self._exchange, community, self._trusted, floor=floor, now=datetime.now(UTC))
        except NoDirectory as error:
            return (str(error),)
        except (ExchangeError, OSError) as error:
            return (f"the directory that was known stays: {error}",)
        if found.value.version > floor:
            self._known.take(found.value)
            log.info("directory taken", version=found.value.version)
        return found.warnings

    def _why_not(self) -> tuple[str, ...]:
        """Why the appliance is not enrolled though there is a directory that names it."""
        entry = self._known.value.find(self._context.branch) if self._known.value is not None else None
        if entry is None or self.enrolled:
            return ()
        if entry.revoked:
            return ("this branch is revoked in the directory",)
        here, there = self._keys.public.fingerprint, entry.keys.fingerprint
        return (f"the directory names the keys {there}; if {here}, which lie here, shall replace them: --rekey {here}",)

    def _read_settings(self) -> tuple[str, ...]:
        """Take newer settings; what is to be remarked."""
        context, floor = self._context, self._current.floor
        try:
            found = settings.latest(
                self._exchange, context.community, context.branch, self._trusted, self._keys.seal, floor=floor
            )
        except NotThere as error:
            return (str(error),)
        except (ExchangeError, OSError) as error:
            return (f"the settings that were known stay: {error}",)
        if found.value.version > floor:
            self._take_settings(found.value)
        return found.warnings

    def _take_settings(self, newer: Settings) -> None:
        before = {member.login for member in self._current.staff()}
        after = {member.login for member in newer.staff}
        self._current.take(
            newer,
            lambda session: dismiss_others(session, after),
            lambda session: self._audit.append(
                session,
                action="settings",
                who="community",
                subject=f"version {newer.version}",
                detail={"staff added": sorted(after - before), "staff removed": sorted(before - after)},
            ),
        )
        log.info("settings taken", version=newer.version, staff=len(after), modalities=len(newer.modalities))
