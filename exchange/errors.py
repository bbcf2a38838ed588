"""What can go wrong between branches: a final refusal, something to try again, or trouble with the store."""

from __future__ import annotations


class ExchangeError(Exception):
    """Root of all errors of this package; its text is one clear line."""


class Refused(ExchangeError):
    """A final verdict about something that was handed to us: it will not be better next time."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Malformed(Refused):
    """Not what the format says."""


class BadSignature(Refused):
    """Signed by none of the keys that we accept here, or changed since."""


class CannotOpen(Refused):
    """Sealed to somebody else, or changed since."""


class NotForUs(Refused):
    """Genuine, but meant for another recipient or lifted from another place."""


class NotAllowed(Refused):
    """The directory does not allow it: unknown or revoked branch, or a pair that may not refer."""


class Replayed(Refused):
    """A sequence number that another referral has used."""


class Tampered(Refused):
    """The bytes are not those that the signed digest names."""


class Damaged(Tampered):
    """A kept file is not what the index says, or the disk does not give it."""


class TooLarge(Refused):
    """More bytes, files or entries than a reader is willing to look at."""


class UnsafeEntry(Refused):
    """A link, a pipe, a device or a name that has no business in the exchange."""


class OlderDirectory(Refused):
    """The newest valid version is lower than one that was seen before."""


class KeyChanged(Refused):
    """A branch shows other keys than those that are known."""

    def __init__(self, reason: str, old: str, new: str) -> None:
        super().__init__(reason)
        self.old = old
        self.new = new


class NotYet(ExchangeError):
    """Nothing is wrong that time, a newer directory or a right clock would not mend: try again later."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Incomplete(NotYet):
    """Parts are not there yet, or are being removed by their owner."""


class DirectoryExpired(NotYet):
    """By our clock the directory has expired: new referrals wait for a newer one."""


class ReferralExpired(NotYet):
    """By our clock the referral has expired; only its sender may judge that for good."""


class UnknownYet(NotYet):
    """Made under a newer directory than the one that we have."""


class NoDirectory(NotYet):
    """The community has published no directory yet."""


class StoreError(ExchangeError):
    """The store does not do what was asked of it."""


class NotThere(StoreError):
    """No file of that name."""


class AlreadyThere(StoreError):
    """There is a file of that name, and nothing is ever replaced."""


class Unreachable(StoreError):
    """The store does not answer, or refuses the login."""


class UnknownHost(Unreachable):
    """The host shows a key that is not among the known ones."""
