"""The branches along the road, each with its appliance, its folder and its people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from appliance.dimse.scu import Peer, echo
from appliance.errors import ApplianceError
from cli.demo.branch import Branch, Login, Session
from cli.demo.fetching import fetch_pictures
from emulator.drivers.qemu_network import seen_port
from provision.fleet.health import HTTP_PORT

if TYPE_CHECKING:
    from pathlib import Path

    from cli.demo.embedded import EmbeddedCloud
    from provision.declaring.community import Community
    from provision.enrolling.enrolment import Enrolment
    from provision.fleet.branch_status import BranchStatus

SMB_PORT, SHARE = 445, "pictures"


@dataclass(frozen=True)
class Stop:
    """One branch on the road: its appliance, its folder, its people."""

    name: str
    dicom: Peer
    http: str
    """The page to look at. From this machine that is the one in clear, which needs no authority to be installed."""
    folder: Path
    """Where its pictures are on this machine: its shared folder, or for a machine what was fetched from its page."""
    share: str
    """Its shared folder as its people open it: a path, or for a machine the address of its share."""
    keys: Path | None
    """Where its keys lie; None where its disk is its own, as a machine's is."""
    logins: tuple[Login, ...]
    branch: Branch
    """The branch as its people reach it: over TLS."""

    def session(self, *roles: str) -> Session:
        """Log in as the first person who has one of the roles (any role when none is named)."""
        fitting = [login for login in self.logins if login.role in roles or not roles]
        if not fitting:
            raise ApplianceError(f"{self.name} declares nobody who is {' or '.join(roles)}")
        return self.branch.session(fitting[0])

    def pictures(self) -> list[Path]:
        """Every picture of the branch; those of a machine are fetched first."""
        if self.keys is None:
            fetch_pictures(self.session(), self.folder)
        return sorted(self.folder.rglob("*.png"))


def stops(cloud: EmbeddedCloud, community: Community, enrolment: Enrolment) -> dict[str, Stop]:
    """Every branch with its invitations accepted."""
    return {status.name: _stop(cloud, community, status, enrolment) for status in enrolment.branches}


def _stop(cloud: EmbeddedCloud, community: Community, status: BranchStatus, enrolment: Enrolment) -> Stop:
    branch = Branch(status.name, status.http, enrolment.authority)
    peer = Peer.at(status.dicom)
    if not echo(peer, calling=community.branches[status.name].modalities[0].ae_title):
        raise ApplianceError(f"{peer} does not answer C-ECHO")
    logins = tuple(
        branch.accept(invitation.login, invitation.role, invitation.code)
        for invitation in enrolment.invitations
        if invitation.branch == status.name
    )
    if cloud.has_machines:
        folder, share = cloud.state / "pictures" / status.name, share_of(status.address)
        return Stop(status.name, peer, status.http, folder, share, None, logins, branch)
    archive = cloud.guest(status.vm_id) / "disk.1"
    folder, in_clear = archive / "shared", f"http://{status.address}:{HTTP_PORT}"
    return Stop(status.name, peer, in_clear, folder, str(folder), archive / "keys", logins, branch)


def share_of(address: str) -> str:
    """The shared folder of a machine, as a URL with the port at which this machine has it (RFC 3986, 3.2.3)."""
    port = seen_port(SMB_PORT)
    return f"smb://{address}{f':{port}' if port != SMB_PORT else ''}/{SHARE}"
