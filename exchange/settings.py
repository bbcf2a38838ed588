"""A branch's settings, as the community declares them: its staff and its modalities."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from pydantic.dataclasses import dataclass as document

from exchange import places, versions
from exchange.canonical import STRICT, AeTitle, Count, Document, Line, Name, Version
from exchange.errors import Malformed, NotThere
from exchange.invitation import Invitation
from exchange.keys import SealingKey, SigningKey, VerifyKey
from exchange.sealing import seal as sealed_to
from exchange.sealing import unseal
from exchange.signing import open_signed, sign
from exchange.store import Reader, Writer
from exchange.versions import Latest

_PURPOSE = "settings"
_SUFFIX = ".age"

Role = Literal["radiographer", "doctor", "admin"]
Login = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Port = Annotated[int, Field(ge=1, le=65535)]


@document(frozen=True, config=STRICT)
class StaffMember(Document):
    """A person who may log in at the branch's appliance; `invitation` until the password is set."""

    login: Login
    role: Role
    invitation: Invitation | None = None


@document(frozen=True, config=STRICT)
class Modality(Document):
    """A device that may send to the branch: its AE title, its address, and the port if it also listens."""

    ae_title: AeTitle
    host: Line
    port: Port | None = None


@document(frozen=True, config=STRICT)
class Settings(Document):
    """All that an appliance is told, besides its context.

    `sealed_to` is the branch's key to which it was sealed; `outbox_bytes` is how much each branch may have in its
    outbox, 0 for as much as there is room for; `inbox` is whether staff may import files through a shared folder.
    """

    community: Name
    branch: Name
    version: Version
    staff: tuple[StaffMember, ...]
    modalities: tuple[Modality, ...]
    sealed_to: Line = ""
    outbox_bytes: Count = 0
    inbox: bool = False

    @property
    def declared(self) -> "Settings":
        """What a community file declares of them: all but version, invitations and key."""
        staff = tuple(replace(member, invitation=None) for member in self.staff)
        return replace(self, version=1, staff=staff, sealed_to="")


def publish(store: Writer, settings: Settings, key: SigningKey, recipients: Sequence[str]) -> str:
    """Sign with the community's key, seal to the branch and to the community, write; returns the name.

    Raises
    ------
    AlreadyThere
        Another admin published this version first.
    """
    content = sealed_to(sign(_PURPOSE, settings.encode(), key), recipients)
    return versions.publish(store, places.settings_of(settings.branch), settings.version, _SUFFIX, content)


def latest(
    reader: Reader, community: str, branch: str, trusted: Sequence[VerifyKey], seal: SealingKey, *, floor: int = 0
) -> Latest[Settings]:
    """The newest settings of a branch that open with `seal` and that the community signed.

    Raises
    ------
    NotThere
        None that is valid.
    OlderDirectory
        All valid ones are lower than `floor`.
    """

    def opened(content: bytes) -> Settings:
        settings = Settings.decode(open_signed(_PURPOSE, unseal(content, seal), trusted))
        if (settings.community, settings.branch) != (community, branch):
            raise Malformed(f"they are the settings of {settings.branch} in {settings.community}")
        return settings

    found = versions.newest(reader, places.settings_of(branch), _SUFFIX, floor=floor, opened=opened)
    if found is None:
        raise NotThere(f"no settings of {branch} that can be opened")
    return found
