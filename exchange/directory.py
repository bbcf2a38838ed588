"""The directory: who is in the community, with which public keys, and who may refer to whom."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pydantic.dataclasses import dataclass as document

from exchange import places, versions
from exchange.canonical import (
    STRICT,
    AeTitle,
    CertificateText,
    Count,
    Document,
    Line,
    Moment,
    Name,
    RevocationsText,
    Version,
)
from exchange.errors import DirectoryExpired, Malformed, NoDirectory, NotAllowed
from exchange.keys import PublicKeys, SigningKey, VerifyKey
from exchange.signing import open_signed, sign
from exchange.store import Reader, Writer
from exchange.versions import Latest

LIFETIME = timedelta(days=365)
_PURPOSE = "directory"
_SUFFIX = ".json"


@document(frozen=True, config=STRICT)
class DirectoryBranch(Document):
    """One branch as the community vouches for it.

    `previous` are keys that it has given up in good order: what they signed is still believed,
    nothing is sealed to them any more. `tls_key` is the public key for which its appliance asked a certificate, and
    `certificate` what it was given by the community's authority; both DER as base64, empty before the first.
    """

    name: Name
    title: Line
    ae_title: AeTitle
    vm_id: Count
    keys: PublicKeys
    revoked: bool = False
    previous: tuple[PublicKeys, ...] = ()
    tls_key: CertificateText = ""
    certificate: CertificateText = ""

    @property
    def signers(self) -> tuple[PublicKeys, ...]:
        """All keys whose signature is the branch's."""
        return (self.keys, *self.previous)

    @property
    def verify_keys(self) -> tuple[VerifyKey, ...]:
        """The signing halves of `signers`."""
        return tuple(keys.verify_key for keys in self.signers)


@document(frozen=True, config=STRICT)
class Directory(Document):
    """All branches of a community, at one version; `referrals` are all pairs (from, to) that may refer.

    `authority` is the certificate of the community's own authority, DER as base64, empty where it has none;
    `next_authority` that of the one that shall take its place, empty where none is announced; `former_authorities` are
    those that were replaced, the last one last. `revocations` is the authority's revocation list.

    That it is expired takes nothing from a branch that it has: only new referrals wait for a newer one,
    because a revocation may be missing. A wrong clock thus delays, and never refuses or loses.
    """

    community: Name
    version: Version
    issued: Moment
    expires: Moment
    branches: tuple[DirectoryBranch, ...]
    referrals: tuple[tuple[Name, Name], ...]
    authority: CertificateText = ""
    next_authority: CertificateText = ""
    former_authorities: tuple[CertificateText, ...] = ()
    revocations: RevocationsText = ""

    def __post_init__(self) -> None:
        names = [branch.name for branch in self.branches]
        if len(names) != len(set(names)):
            raise ValueError("a branch is named twice")

    def find(self, name: str) -> DirectoryBranch | None:
        """The branch of that name, revoked or not."""
        return next((branch for branch in self.branches if branch.name == name), None)

    def branch(self, name: str) -> DirectoryBranch:
        """The branch of that name; `NotAllowed` if it is unknown or revoked."""
        branch = self.find(name)
        if branch is None:
            raise NotAllowed(f"{name} is not in the directory (version {self.version})")
        if branch.revoked:
            raise NotAllowed(f"{name} is revoked (directory version {self.version})")
        return branch

    def may_refer(self, sender: str, recipient: str) -> bool:
        """Whether the pair is allowed and neither is unknown or revoked."""
        pair = [self.find(sender), self.find(recipient)]
        return (sender, recipient) in self.referrals and all(branch and not branch.revoked for branch in pair)

    def check_referral(self, sender: str, recipient: str) -> None:
        """Raise `NotAllowed`, saying why, unless the sender may refer to the recipient."""
        self.branch(sender)
        self.branch(recipient)
        if (sender, recipient) not in self.referrals:
            raise NotAllowed(f"{sender} may not refer to {recipient} (directory version {self.version})")

    def expired(self, now: datetime) -> bool:
        """Whether our clock is past `expires`."""
        return now >= self.expires

    def check_fresh(self, now: datetime) -> None:
        """Raise `DirectoryExpired` if new referrals have to wait."""
        if self.expired(now):
            raise DirectoryExpired(
                f"the directory (version {self.version}) expired on {self.expires:%Y-%m-%d}: new referrals wait until "
                "the community publishes a newer one (or this clock is set right)"
            )


def publish(store: Writer, directory: Directory, key: SigningKey) -> str:
    """Sign and write a version; returns its name.

    Raises
    ------
    AlreadyThere
        Another admin published this version first: read again, and publish the next.
    """
    signed = sign(_PURPOSE, directory.encode(), key)
    return versions.publish(store, places.DIRECTORY, directory.version, _SUFFIX, signed)


def latest(
    reader: Reader, community: str, trusted: Sequence[VerifyKey], *, floor: int = 0, now: datetime
) -> Latest[Directory]:
    """The newest directory that the community signed, with warnings about all that was passed over.

    Parameters
    ----------
    reader
        The whole exchange.
    community
        Whose directory it must be.
    trusted
        The community's working key and its recovery key.
    floor
        The highest version seen so far; none lower is taken.
    now
        For the warning that it is expired or not issued yet; decides nothing else.

    Raises
    ------
    NoDirectory
        None is there that is valid.
    OlderDirectory
        All valid ones are lower than `floor`.
    """

    def opened(envelope: bytes) -> Directory:
        directory = Directory.decode(open_signed(_PURPOSE, envelope, trusted))
        if directory.community != community:
            raise Malformed(f"it is the directory of {directory.community}")
        return directory

    found = versions.newest(reader, places.DIRECTORY, _SUFFIX, floor=floor, opened=opened)
    if found is None:
        raise NoDirectory(f"no valid directory of {community} in {places.DIRECTORY}")
    return Latest(found.value, found.warnings + _clock_warnings(found.value, now))


def _clock_warnings(directory: Directory, now: datetime) -> tuple[str, ...]:
    facts = {
        f"the directory (version {directory.version}) has expired: new referrals wait": directory.expired(now),
        f"the directory (version {directory.version}) is issued in the future: is this clock right?": now
        < directory.issued - timedelta(hours=1),
    }
    return tuple(warning for warning, holds in facts.items() if holds)
