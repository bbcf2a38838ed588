"""One walk along the whole road, and everything that was seen on it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from appliance.errors import ApplianceError
from cli.demo import road
from cli.demo.embedded import EmbeddedCloud, embedded_cloud
from cli.demo.machine_image import check
from cli.demo.referral import Referral, refer
from cli.demo.stops import Stop, stops
from cli.demo.studies import own_instances, shipped_instances
from provision.declaring.reading import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from provision.declaring.community import Community
    from provision.planning.plan import Plan


class Narration(Protocol):
    """Tells a person where on the road we are."""

    def begin(self, words: str) -> None:
        """Begin a stretch of the road."""

    def say(self, words: str) -> None:
        """Say how the present stretch goes."""

    def plan(self, the_plan: Plan) -> None:
        """Show a plan."""


@dataclass(frozen=True)
class Walk:
    """What was made, and what was seen on the way."""

    cloud: EmbeddedCloud
    community: Community
    steps: int
    after: Plan
    stops: dict[str, Stop]
    instances: int
    referral: Referral


@contextlib.contextmanager
def walk(
    community_file: Path, state: Path, own: Sequence[Path], narration: Narration, machine_image: Path | None = None
) -> Iterator[Walk]:
    """Walk the road; while the block runs, everything stays up; afterwards no process is left.

    With a `machine_image` the appliances are virtual machines that boot from it.
    """
    community = load(community_file)
    if machine_image is not None:
        check(machine_image, community)
    instances = own_instances(own) if own else shipped_instances(state / "studies")
    narration.begin("Starting the embedded cloud")
    with embedded_cloud(state, "qemu" if machine_image else "process") as cloud:
        yield _walk(cloud, community, instances, narration, machine_image)


def _walk(
    cloud: EmbeddedCloud,
    community: Community,
    instances: Sequence[Path],
    narration: Narration,
    machine_image: Path | None,
) -> Walk:
    sender, recipient = first_referral(community)
    desk = road.desk_of(cloud, community, machine_image)
    the_plan = road.planned(desk, community)
    narration.plan(the_plan)
    narration.begin(f"Applying {len(the_plan)} steps")
    after = road.applied(desk, community, the_plan, narration.say)
    narration.begin("Waiting until every appliance is enrolled and answers")
    within_s = road.MACHINES_ENROLLED_WITHIN_S if cloud.has_machines else road.ENROLLED_WITHIN_S
    branches = stops(cloud, community, road.enrolled(desk, community, narration.say, within_s))
    scanner = community.branches[sender].modalities[0].ae_title
    narration.begin(f"Sending {len(instances)} instances from {scanner} to {branches[sender].dicom}")
    road.sent(instances, branches[sender], scanner, narration.say)
    narration.begin(f"Referring the patient from {sender} to {recipient}")
    others = [stop for name, stop in branches.items() if name not in {sender, recipient}]
    patients = branches[sender].session().patients()
    referral = refer(branches[sender], branches[recipient], others, patients, road.exchange_of(cloud, community))
    branches[recipient].session().until_rendered(road.RENDERED_WITHIN_S)
    _check_pictures(branches, sender, recipient, others)
    return Walk(cloud, community, len(the_plan), after, branches, len(instances), referral)


def first_referral(community: Community) -> tuple[str, str]:
    """The first branch that has a modality and may refer, and the first branch to which it may.

    Raises
    ------
    ApplianceError
        When the community declares no such pair.
    """
    allowed = set(community.referral_pairs())
    for sender, branch in community.branches.items():
        for recipient in community.branches:
            if branch.modalities and (sender, recipient) in allowed:
                return sender, recipient
    raise ApplianceError("The community declares no branch that has a modality and may refer to another")


def _check_pictures(branches: dict[str, Stop], sender: str, recipient: str, others: Sequence[Stop]) -> None:
    """Raise when the recipient's folder does not hold the sender's pictures, or another's folder holds any."""

    def seen(stop: Stop) -> dict[str, bytes]:
        return {str(path.relative_to(stop.folder)): path.read_bytes() for path in stop.pictures()}

    sent, arrived = seen(branches[sender]), seen(branches[recipient])
    if different := sorted(name for name in {*sent, *arrived} if sent.get(name) != arrived.get(name)):
        raise ApplianceError(
            f"The folders of {sender} and {recipient} differ: {different[0]} (and {len(different) - 1} more)"
        )
    if strangers := [other.name for other in others if seen(other)]:
        raise ApplianceError(f"Pictures are where they do not belong: {', '.join(strangers)}")
