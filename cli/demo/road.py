"""The road itself: declare, apply, enrol, send, render, refer; each stretch a function, in the order of walking."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from appliance.dimse.scu import send
from appliance.errors import ApplianceError
from exchange.stores import open_store
from provision.applying.apply import apply
from provision.desk import Desk
from provision.enrolling.enrolment import wait_until_ready
from provision.enrolling.identity import own_identity
from provision.opennebula import Cloud
from provision.planning.found import found
from provision.planning.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cli.demo.embedded import EmbeddedCloud
    from cli.demo.stops import Stop
    from provision.declaring.community import Community
    from provision.enrolling.enrolment import Enrolment
    from provision.planning.plan import Plan

ENROLLED_WITHIN_S = 120
#: Machines boot first, several at once, and where there is no KVM each takes minutes of a CPU.
MACHINES_ENROLLED_WITHIN_S = 900
RENDERED_WITHIN_S = 600


def exchange_of(cloud: EmbeddedCloud, community: Community) -> Path:
    """The folder here that is the exchange on the cloud's hosts."""
    return cloud.on_host(community.exchange.path)


def desk_of(cloud: EmbeddedCloud, community: Community, machine_image: Path | None = None) -> Desk:
    """The desk of the cloud's admin: the cloud, the exchange, and a new key of the admin's own.

    Parameters
    ----------
    cloud, community
        What is worked on.
    machine_image
        What machines boot from.
    """
    exchange = exchange_of(cloud, community)
    exchange.mkdir(parents=True, exist_ok=True)
    if community.image.file:
        image = cloud.on_host(community.image.file)
        image.parent.mkdir(parents=True, exist_ok=True)
        if machine_image is not None:
            shutil.copyfile(machine_image, image)
        else:
            # A process boots from no disk; the front end wants to see the file that the community file names.
            image.write_bytes(bytes(1 << 20))
    identity = own_identity(cloud.state / "admin" / "identity.txt")
    return Desk(Cloud(cloud.endpoint, cloud.session), open_store(str(exchange)), identity)


def planned(desk: Desk, community: Community) -> Plan:
    """What `apply` would change now."""
    return plan(community, found(desk, community.community))


def applied(desk: Desk, community: Community, the_plan: Plan, say: Callable[[str], None]) -> Plan:
    """Apply the plan; the plan that another reading of the cloud gives afterwards comes back."""
    apply(desk, the_plan, on_progress=lambda event: say(event.words))
    return planned(desk, community)


def enrolled(
    desk: Desk, community: Community, say: Callable[[str], None], within_s: float = ENROLLED_WITHIN_S
) -> Enrolment:
    """Wait until every appliance is in the directory and answers.

    Raises
    ------
    ApplianceError
        When one does not in time, or has a VM that failed or is off; with what is known of it.
    """
    begun = time.monotonic()
    enrolment = wait_until_ready(
        desk, community, timeout_s=within_s, on_progress=lambda event: say(event.words), all_needed=True
    )
    if not enrolment.ready:
        missing = "; ".join(f"{branch.name}: {branch.words}" for branch in enrolment.branches if not branch.ready)
        raise ApplianceError(f"Not ready after {time.monotonic() - begun:.0f} s: {missing}")
    return enrolment


def sent(instances: Sequence[Path], stop: Stop, scanner: str, say: Callable[[str], None]) -> int:
    """Send the instances as a scanner of the branch, and wait for their pictures; the pictures' count comes back."""
    for number, path in enumerate(send(instances, stop.dicom, scanner), 1):
        say(f"{stop.dicom} has {number} of {len(instances)}: {path.name}")
    session = stop.session()
    session.until_rendered(RENDERED_WITHIN_S)
    return session.pictures()
