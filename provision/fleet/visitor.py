"""A visitor in a branch: a person and a device that are there for an acceptance test, and gone after it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.settings import Modality
from provision.enrolling.published import publish_settings, published, settings_as_published
from provision.errors import NotReady
from provision.planning.found import found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.desk import Desk

LOGIN, ROLE, AE_TITLE = "gurney.verify", "doctor", "GURNEY-VERIFY"


@dataclass(frozen=True)
class Visitor:
    """Who may log in at a branch for a while, and the settings in which that stands."""

    branch: str
    code: str
    settings_version: int


@contextmanager
def visiting(desk: Desk, community: Community, host: str) -> Iterator[dict[str, Visitor]]:
    """Let a visitor into every enrolled branch, sending from `host`, and out again.

    Settings otherwise stay as they stand: people who are declared and not published yet are left to the
    next apply, which shows their codes.

    Raises
    ------
    NotReady
        When a branch is not enrolled yet.
    """
    now = found(desk, community.community)
    enrolled, standing = now.view.published.enrolled, now.view.published.settings
    told = enrolled.keys() & standing.keys()
    late = sorted(name for name in community.branches if community.first_name(name) not in told)
    if late or now.keys is None:
        raise NotReady(f"not enrolled yet: {', '.join(late)}: run `gurney apply --wait` first")
    keys = now.keys

    def publish(name: str, *, guest: bool) -> str:
        first, own = community.first_name(name), community.community
        before = settings_as_published(desk.store, keys, own, first) or standing[first]
        people = [(member.login, member.role) for member in before.staff if member.login != LOGIN]
        devices = [each for each in before.modalities if each.ae_title != AE_TITLE]
        staff, devices = people + [(LOGIN, ROLE)] * guest, devices + [Modality(AE_TITLE, host)] * guest
        news = publish_settings(desk.store, keys, own, first, staff, devices, before.outbox_bytes, inbox=before.inbox)
        return next((each.code for each in news if each.login == LOGIN), "")

    try:
        codes = {name: publish(name, guest=True) for name in community.branches}
        versions = published(desk.store, community.community, keys).settings
        yield {name: Visitor(name, code, versions[community.first_name(name)].version) for name, code in codes.items()}
    finally:
        for name in community.branches:
            publish(name, guest=False)
