"""Take appliances up into the directory, tell them their settings, and wait until they are ready."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from exchange.admission import Applicant, admitted
from exchange.errors import Refused
from exchange.keys import PublicKeys
from provision.applying.take import Progress
from provision.enrolling.certificates import Due, names_of, with_certificates
from provision.enrolling.published import NewInvitation, publish_directory, publish_settings, published
from provision.enrolling.report import Report, reported
from provision.enrolling.restored import newest_directory, overtaken
from provision.fleet.branch_status import BranchStatus, statuses_of
from provision.kinds import settings
from provision.kinds.machine import found_machine
from provision.planning.found import Found, found
from provision.pools import POOLS, elements
from provision.vm_state import stands_still

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from exchange.community import CommunityKeys
    from exchange.directory import DirectoryBranch
    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.node import Node

#: How often the VM pool is read while appliances are waited for.
PAUSE_S = 0.5


@dataclass(frozen=True)
class Enrolment:
    """How far all branches are, the invitations that were made, and why branches were not taken up.

    `authority` is the certificate of the community's own authority, DER as base64, empty where it has none.
    """

    branches: tuple[BranchStatus, ...]
    invitations: tuple[NewInvitation, ...] = ()
    directory_version: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    authority: str = ""

    @property
    def ready(self) -> bool:
        """Whether every branch is that is not revoked."""
        return all(branch.ready or branch.revoked for branch in self.branches)


def enrol(
    desk: Desk,
    community: Community,
    *,
    rekey: Mapping[str, str] | None = None,
    reports: Mapping[str, Report] | None = None,
) -> Enrolment:
    """Look at reports of our own appliances once, and publish what follows from them.

    Parameters
    ----------
    rekey
        Branch to the fingerprint that an admin has read from its appliance's console: takes changed keys.
    reports
        By branch, what appliances said over SSH; without it, what all of them reported through OneGate.
    """
    enrolment, _ = _pass(desk, community, found(desk, community.community), rekey or {}, reports)
    return enrolment


def wait_until_ready(
    desk: Desk,
    community: Community,
    timeout_s: float = 300,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    rekey: Mapping[str, str] | None = None,
    all_needed: bool = False,
) -> Enrolment:
    """Enrol until every appliance is ready, or the time is over (`ready` tells which).

    Waiting ends early once nothing comes by itself any more: who is not ready has a VM that failed, or is off, or,
    where the cloud has no OneGate, runs and is only to be enrolled by hand.

    Parameters
    ----------
    all_needed
        One appliance whose VM failed or is off is enough to end it: the others alone are of no use.
    """
    end = time.monotonic() + timeout_s
    now = found(desk, community.community)
    invitations: tuple[NewInvitation, ...] = ()
    said: dict[str, str] = {}
    while True:
        enrolment, now = _pass(desk, community, now, rekey or {})
        invitations += enrolment.invitations
        for branch in enrolment.branches:
            if said.get(branch.name) != branch.words and on_progress is not None:
                ready = sum(each.ready for each in enrolment.branches)
                on_progress(Progress(ready, len(enrolment.branches), f"{branch.name}: {branch.words}"))
            said[branch.name] = branch.words
        if enrolment.ready or _left_to_hand(enrolment, now, all_needed=all_needed) or time.monotonic() > end:
            return replace(enrolment, invitations=invitations)
        time.sleep(PAUSE_S)
        now = _anew(desk, now)


def _left_to_hand(enrolment: Enrolment, now: Found, *, all_needed: bool) -> bool:
    """Whether nothing is left but what a person does: start a VM, or `gurney branch enrol`."""
    late = [branch for branch in enrolment.branches if not (branch.ready or branch.revoked)]
    off = {branch.name for branch in late if stands_still(branch.state)}
    by_hand = {branch.name for branch in late if branch.answers and not branch.enrolled}
    left = off if now.pools.has_onegate else off | by_hand
    return len(left) == len(late) or (all_needed and bool(off))


def _anew(desk: Desk, before: Found) -> Found:
    """The same cloud with its VMs as they are now: one call."""
    call, arguments, tag = POOLS["vm"]
    nodes = {**before.pools.nodes, "vm": elements(desk.cloud.read(call, *arguments), tag)}
    return replace(before, view=replace(before.view, pools=replace(before.pools, nodes=nodes)))


def _pass(
    desk: Desk,
    community: Community,
    now: Found,
    rekey: Mapping[str, str],
    reports: Mapping[str, Report] | None = None,
) -> tuple[Enrolment, Found]:
    """Take up who can be taken up; the cloud and what is published then come back as well."""
    refused: dict[str, str] = {}
    told = reported(now.view) if reports is None else reports
    certified = _certified(community, now, _admitted(community, now, told, rekey, refused))
    present = {community.first_name(name): name for name in community.branches}
    entries = {present[entry.name]: entry for entry in certified}
    invitations: list[NewInvitation] = []
    late = [name for name, entry in entries.items() if not _told(community, now, name, entry)]
    keys = now.keys
    if late and keys is not None:
        news = {name: each for name, each in entries.items() if now.view.published.enrolled.get(each.name) != each}
        if news:
            pairs = community.pairs_by_first_name()
            vouched = frozenset(each.name for name, each in news.items() if rekey.get(name) == each.keys.fingerprint)
            seen = now.view.published.directory
            above = newest_directory(now)
            publish_directory(
                desk.store, keys, now.community, news.values(), pairs, seen=seen, readmitted=vouched, above=above
            )
            now = _published_anew(desk, now)
        for name in late:
            if now.view.published.enrolled.get(entries[name].name) == entries[name]:
                invitations += _tell(desk, community, keys, name)
        now = _published_anew(desk, now)
    directory = now.view.published.directory
    statuses = tuple(statuses_of(community, now, refused))
    for name, version in overtaken(now, statuses).items():
        assert keys is not None, "who has settings has keys"
        invitations += _tell(desk, community, keys, name, above=version)
        now = _published_anew(desk, now)
    version, authority = (directory.version, directory.authority) if directory else (0, "")
    return Enrolment(statuses, tuple(invitations), version, refused, authority), now


def _published_anew(desk: Desk, now: Found) -> Found:
    """The same cloud with what is published now."""
    assert now.keys is not None
    return replace(now, view=replace(now.view, published=published(desk.store, now.community, now.keys)))


def _admitted(
    community: Community,
    now: Found,
    reports: Mapping[str, Report],
    rekey: Mapping[str, str],
    refused: dict[str, str],
) -> Iterator[DirectoryBranch]:
    """The entries of appliances that reported keys and proved them; why not, for the others."""
    known = now.view.published.directory
    for name in sorted(reports.keys() & community.branches.keys()):
        vm = now.view.appliances.get(name)
        if (wrong := _not_ours(now, community.first_name(name), vm)) is not None:
            refused[name] = wrong
            continue
        assert vm is not None
        try:
            applicant = _applicant(community, name, vm, reports[name])
            before = known.find(applicant.branch) if known else None
            yield admitted(applicant, known=before, community=community.community, rekey=rekey.get(name))
        except Refused as error:
            refused[name] = str(error)


def _certified(community: Community, now: Found, entries: Iterable[DirectoryBranch]) -> Sequence[DirectoryBranch]:
    """The entries with certificates for the names by which their appliances are reached."""
    admitted_now = list(entries)
    if now.keys is None:
        return admitted_now
    wanted = [Due(entry.name, tuple(names_of(now.view, entry.name))) for entry in admitted_now]
    called = {community.first_name(name): frozenset(each.names) for name, each in community.branches.items()}
    return with_certificates(admitted_now, wanted, now.keys, now.community, called)


def _applicant(community: Community, name: str, vm: Node, report: Report) -> Applicant:
    """Who applies: what the admin knows of the VM, and what its appliance says of itself."""
    branch = community.branches[name]
    try:
        keys = PublicKeys(sign=report.sign_key, seal=report.seal_key)
    except ValueError:
        raise Refused("what it reported as its keys are none") from None
    return Applicant(
        community.first_name(name), branch.title, branch.ae_title, vm.id, keys, report.proof, report.hand_over,
        report.tls_request, report.tls_proof,
    )  # fmt: skip


def _not_ours(now: Found, first: str, vm: Node | None) -> str | None:
    """Why a VM may not apply; None where it may."""
    return "it has no VM that apply made" if vm is None else _wrong_context(now, first, vm)


def _wrong_context(now: Found, first: str, vm: Node) -> str | None:
    """A context can be rewritten by a group's admin: it has to say what Gurney wrote."""
    told = {entry.name: entry.value for entry in found_machine(now.view, vm.attributes())["context"]}
    ours = (told.get("GURNEY_COMMUNITY"), told.get("GURNEY_BRANCH")) == (now.community, first)
    return None if ours else "its context was changed by someone else: run `gurney plan`"


def _told(community: Community, now: Found, name: str, entry: DirectoryBranch) -> bool:
    """Whether the directory holds a branch's entry, and its settings are what is declared and sealed to its keys."""
    standing = {each.ref.key: each.spec for each in settings.found(now.view)}
    before = now.view.published.enrolled.get(entry.name)
    return before == entry and standing.get(name) == settings.declared_for(community, name)


def _tell(desk: Desk, community: Community, keys: CommunityKeys, name: str, *, above: int = 0) -> list[NewInvitation]:
    """Publish a branch's settings, sealed to its keys, in a version that is higher than what it knows."""
    wanted = settings.declared_for(community, name)
    staff = [(member.login, member.role) for member in wanted.staff]
    devices = settings.devices_of(wanted)
    first, own = community.first_name(name), community.community
    made = publish_settings(
        desk.store, keys, own, first, staff, devices, wanted.outbox_bytes, inbox=wanted.inbox, above=above
    )
    told = [replace(each, branch=name) for each in made]
    desk.invitations.extend(told)
    return told
