"""What an admin works with: a cloud, the exchange, and an own identity."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exchange.store import Writer
    from provision.enrolling.identity import Identity
    from provision.enrolling.published import NewInvitation
    from provision.opennebula import Cloud
    from provision.upload.uploads import Uploads


@dataclass(frozen=True)
class Desk:
    """An admin's desk; several admins may work on one community, each from an own one.

    Attributes
    ----------
    cloud
        The OpenNebula front end, as the service user sees it.
    store
        The exchange, as the admin reaches it.
    identity
        Opens the community's keys.
    uploads
        Brings images from this workstation to the front end; None where the community file names no way.
    invitations
        All that were made at this desk, each as soon as it is published: its code is known nowhere else, so that it has
        to be handed on whatever becomes of the rest of the work.
    notes
        Where the secrets lie that were written at this desk, each as soon as its file stands: nobody else will say so.
    """

    cloud: Cloud
    store: Writer
    identity: Identity
    uploads: Uploads | None = None
    invitations: list[NewInvitation] = field(default_factory=list, repr=False, compare=False)
    notes: list[str] = field(default_factory=list, repr=False, compare=False)
