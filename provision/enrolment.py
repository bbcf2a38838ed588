"""Take appliances up into the directory, tell them their settings, and wait until they are ready."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exchange.admission import Applicant, admitted
from exchange.errors import Refused
from exchange.keys import PublicKeys
from provision.found import Found, found
from provision.health import DICOM_PORT, HTTP_PORT, Health, health_of
from provision.kinds import settings
from provision.kinds.machine import found_machine
from provision.node import first
from provision.pools import POOLS, elements
from provision.published import NewInvitation, publish_directory, publish_settings, published
from provision.take import Progress
from provision.vm_state import address_of, state_name, state_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exchange.community import CommunityKeys
    from exchange.directory import DirectoryBranch
    from provision.community import Community
    from provision.desk import Desk
    from provision.node import Node

#: How often the VM pool is read while appliances are waited for.
PAUSE_S = 0.5
#: Appliances that are asked at a time how they are.
ASKED = 16


@dataclass(frozen=True)
class BranchStatus:
    """How far a branch's appliance is.

    Attributes
    ----------
    state
        Its VM's, in OpenNebula's words.
    dicom
        AE@host:port.
    enrolled
        Whether the directory names it.
    ready
        Whether it is enrolled, knows its settings, and answers.
    words
        What it waits for; "ready" when for nothing.
    answers
        Whether an appliance answers at its address.
    """

    name: str
    vm_id: int
    state: str
    address: str
    http: str
    dicom: str
    enrolled: bool
    ready: bool
    words: str
    answers: bool = False


@dataclass(frozen=True)
class Enrolment:
    """How far all branches are, and the invitations that were made."""

    branches: tuple[BranchStatus, ...]
    invitations: tuple[NewInvitation, ...] = ()
    directory_version: int = 0

    @property
    def ready(self) -> bool:
        """Whether every branch is."""
        return all(branch.ready for branch in self.branches)


def enrol(desk: Desk, community: Community, *, rekey: Mapping[str, str] | None = None) -> Enrolment:
    """Read the reports of our own appliances once, and publish what follows from them.

    Parameters
    ----------
    rekey
        Branch to the fingerprint that an admin has read from its appliance's console: takes changed keys.
    """
    enrolment, _ = _pass(desk, community, found(desk, community.community), rekey or {})
    return enrolment


def wait_until_ready(
    desk: Desk,
    community: Community,
    timeout_s: float = 300,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    rekey: Mapping[str, str] | None = None,
) -> Enrolment:
    """Enrol until every appliance is ready, or the time is over (`ready` tells which)."""
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
        if enrolment.ready or time.monotonic() > end:
            return replace(enrolment, invitations=invitations)
        time.sleep(PAUSE_S)
        now = _anew(desk, now)


def _anew(desk: Desk, before: Found) -> Found:
    """The same cloud with its VMs as they are now: one call."""
    call, arguments, tag = POOLS["vm"]
    nodes = {**before.pools.nodes, "vm": elements(desk.cloud.read(call, *arguments), tag)}
    return replace(before, view=replace(before.view, pools=replace(before.pools, nodes=nodes)))


def _pass(desk: Desk, community: Community, now: Found, rekey: Mapping[str, str]) -> tuple[Enrolment, Found]:
    """Take up who can be taken up; the cloud and what is published then come back as well."""
    refused: dict[str, str] = {}
    entries = {entry.name: entry for entry in _admitted(community, now, rekey, refused)}
    invitations: list[NewInvitation] = []
    late = [name for name, entry in entries.items() if not _told(community, now, name, entry)]
    if late and now.keys is not None:
        if any(now.view.published.enrolled.get(name) != entry for name, entry in entries.items()):
            pairs = community.referral_pairs()
            publish_directory(desk.store, now.keys, community.community, entries.values(), pairs)
        for name in late:
            invitations += _tell(desk, community, now.keys, entries[name])
        now = replace(now, view=replace(now.view, published=published(desk.store, community.community, now.keys)))
    directory = now.view.published.directory
    statuses = tuple(statuses_of(community, now, refused))
    return Enrolment(statuses, tuple(invitations), directory.version if directory else 0), now


def _admitted(
    community: Community, now: Found, rekey: Mapping[str, str], refused: dict[str, str]
) -> Iterator[DirectoryBranch]:
    """The entries of appliances that reported keys and proved them; why not, for the others."""
    known = now.view.published.directory
    for name, vm in now.view.appliances.items():
        told = vm.attributes("USER_TEMPLATE")
        sign, seal, proof = (first(told, f"GURNEY_{what}") for what in ("SIGN_KEY", "SEAL_KEY", "PROOF"))
        if name not in community.branches or not (sign and seal and proof):
            continue
        if (wrong := _wrong_context(now, name, vm)) is not None:
            refused[name] = wrong
            continue
        try:
            applicant = _applicant(community, name, vm, PublicKeys(sign=sign, seal=seal), proof)
            before = known.find(name) if known else None
            yield admitted(applicant, known=before, community=community.community, rekey=rekey.get(name))
        except (Refused, ValueError) as error:
            refused[name] = str(error)


def _applicant(community: Community, name: str, vm: Node, keys: PublicKeys, proof: str) -> Applicant:
    branch = community.branches[name]
    hand_over = first(vm.attributes("USER_TEMPLATE"), "GURNEY_HAND_OVER")
    return Applicant(name, branch.title, branch.ae_title, vm.id, keys, proof, hand_over)


def _wrong_context(now: Found, name: str, vm: Node) -> str | None:
    """A context can be rewritten by a group's admin: it has to say what Gurney wrote."""
    told = {entry.name: entry.value for entry in found_machine(now.view, vm.attributes())["context"]}
    ours = (told.get("GURNEY_COMMUNITY"), told.get("GURNEY_BRANCH")) == (now.community, name)
    return None if ours else "its context was changed by someone else: run `gurney plan`"


def _told(community: Community, now: Found, name: str, entry: DirectoryBranch) -> bool:
    """Whether the directory holds a branch's entry, and its settings are what is declared and sealed to its keys."""
    standing = {each.ref.key: each.spec for each in settings.found(now.view)}
    before = now.view.published.enrolled.get(name)
    return before == entry and standing.get(name) == settings.declared_for(community, name)


def _tell(desk: Desk, community: Community, keys: CommunityKeys, entry: DirectoryBranch) -> list[NewInvitation]:
    """Publish a branch's settings, sealed to its keys."""
    wanted = settings.declared_for(community, entry.name)
    staff = [(member.login, member.role) for member in wanted.staff]
    return publish_settings(desk.store, keys, entry, community.community, staff, settings.devices_of(wanted))


def statuses_of(community: Community, now: Found, refused: Mapping[str, str] | None = None) -> Iterator[BranchStatus]:
    """How each declared branch's appliance is; all are asked side by side."""
    vms = now.view.appliances
    running = {name: address_of(vm) for name, vm in vms.items() if state_name(vm) == "RUNNING"}
    with ThreadPoolExecutor(ASKED) as askers:
        answers = dict(zip(running, askers.map(health_of, running.values()), strict=True))
    for name in community.branches:
        vm = vms.get(name)
        if vm is None:
            yield BranchStatus(name, -1, "", "", "", "", enrolled=False, ready=False, words="it has no VM")
        else:
            yield _status(community, now, name, vm, answers.get(name), (refused or {}).get(name, ""))


def _status(community: Community, now: Found, name: str, vm: Node, health: Health | None, refused: str) -> BranchStatus:
    address = address_of(vm)
    enrolled = name in now.view.published.enrolled
    words = refused or _words(now, name, vm, health, enrolled=enrolled)
    return BranchStatus(
        name=name,
        vm_id=vm.id,
        state=state_name(vm),
        address=address,
        http=f"http://{address}:{HTTP_PORT}",
        dicom=f"{community.branches[name].ae_title}@{address}:{DICOM_PORT}",
        enrolled=enrolled,
        ready=words == "ready",
        words=words,
        answers=health is not None,
    )


def _words(now: Found, name: str, vm: Node, health: Health | None, *, enrolled: bool) -> str:
    """What an appliance waits for, the first thing first."""
    settled, directory = now.view.published.settings.get(name), now.view.published.directory
    if state_name(vm) != "RUNNING":
        return f"its VM is {state_words(vm)}"
    if health is None:
        return "it does not answer yet"
    waiting = {
        f"the service at its address is that of {health.branch}": health.branch != name,
        "it has not reported its keys yet": not enrolled,
        "it has not read the directory yet": not health.enrolled,
        "it has not read the newest directory yet": directory is None or health.directory < directory.version,
        "it has not read its settings yet": settled is None or health.settings < settled.version,
        "it does not take DICOM yet": not health.dicom,
    }
    return next((words for words, holds in waiting.items() if holds), "ready")
