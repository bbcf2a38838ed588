"""How far each branch's appliance is: its VM, whether it answers, and what it still waits for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exchange.certificate import Certificate
from exchange.revocation_list import RevocationList
from exchange.trust import trust_in
from provision.fleet.health import DICOM_PORT, HTTP_PORT, HTTPS_PORT, Health, Strange, health_of, in_url
from provision.kinds.folder import declared_for, giving
from provision.vm_state import address_of, state_name, state_words

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from provision.declaring.community import Community
    from provision.node import Node
    from provision.planning.found import Found

#: Appliances that are asked at a time how they are.
ASKED = 16


@dataclass(frozen=True)
class BranchStatus:
    """How far a branch's appliance is.

    Attributes
    ----------
    state
        Its VM's, in OpenNebula's words.
    http
        The root of its page: over TLS where it has a certificate.
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
    certificate_until
        When its TLS certificate ends; None where it has none.
    revoked
        Whether the directory says so: nobody waits for it.
    outbox_bytes, outbox_limit_bytes
        What its referrals that are on their way need of its outbox, and how much that may hold, 0 for any number.
    outbox_unwritable
        Whether it cannot write in its outbox: no referral leaves.
    archive_bytes, archive_free_bytes
        The size of its archive's disk, and what of that is free; 0 where it does not say.
    archive_nearly_full
        Whether less than a tenth is.
    referrals_given_up
        How many ended its service each time that they were taken: its admin may let them be tried again.
    set_aside
        How many images lie aside in its archive, since they came under the UID of another or were in no index.
    clock_unset, restart_wanted
        Whether no time server has set its machine's clock; whether updates wait for that to be started again.
    directory_known, settings_known
        The versions that its appliance knows; 0 where it does not say so over TLS.
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
    certificate_until: datetime | None = None
    revoked: bool = False
    outbox_bytes: int = 0
    outbox_limit_bytes: int = 0
    outbox_unwritable: bool = False
    archive_bytes: int = 0
    archive_free_bytes: int = 0
    referrals_given_up: int = 0
    set_aside: int = 0
    clock_unset: bool = False
    restart_wanted: bool = False
    directory_known: int = 0
    settings_known: int = 0
    archive_nearly_full: bool = False


def directories_known(now: Found) -> list[int]:
    """The versions of the directory that appliances know, of those that the authority vouches for."""
    certified = {name: vm for name, vm in now.view.appliances.items() if _is_certified(now, name)}
    told = _asked(now, certified).values()
    return [each.directory for each in told if isinstance(each, Health) and not each.distrust]


def _asked(now: Found, vms: Mapping[str, Node]) -> dict[str, Health | Strange | None]:
    """What each appliance that runs says of itself; all are asked side by side."""
    running = {name: address_of(vm) for name, vm in vms.items() if state_name(vm) == "RUNNING"}
    with ThreadPoolExecutor(ASKED) as askers:
        vouched = trust_of(now)
        trusts = [vouched if _is_certified(now, name) else None for name in running]
        return dict(zip(running, askers.map(health_of, running.values(), trusts), strict=True))


def statuses_of(community: Community, now: Found, refused: Mapping[str, str] | None = None) -> Iterator[BranchStatus]:
    """How each declared branch's appliance is."""
    vms = now.view.appliances
    answers = _asked(now, vms)
    for name in community.branches:
        vm = vms.get(name)
        if vm is None:
            yield BranchStatus(name, -1, "", "", "", "", enrolled=False, ready=False, words="it has no VM")
        else:
            yield _status(community, now, name, vm, answers.get(name), (refused or {}).get(name, ""))


def trust_of(now: Found) -> ssl.SSLContext | None:
    """Trust in the community's authority, but not in what it has withdrawn; None where it has none yet."""
    directory = now.view.published.directory
    if directory is None or not directory.authority:
        return None
    revoked = RevocationList(directory.revocations) if directory.revocations else None
    return trust_in(Certificate(directory.authority), revoked=revoked)


def _is_revoked(now: Found, name: str) -> bool:
    directory = now.view.published.directory
    entry = directory.find(now.view.first_name(name)) if directory is not None else None
    return entry is not None and entry.revoked


def _is_certified(now: Found, name: str) -> bool:
    entry = now.view.published.enrolled.get(now.view.first_name(name))
    return entry is not None and bool(entry.certificate)


def _status(
    community: Community, now: Found, name: str, vm: Node, told: Health | Strange | None, refused: str
) -> BranchStatus:
    address = address_of(vm)
    entry = now.view.published.enrolled.get(now.view.first_name(name))
    enrolled, certificate = entry is not None, entry.certificate if entry is not None else ""
    health = told if isinstance(told, Health) else None
    late = refused or _words(now, name, vm, told, enrolled=enrolled)
    vouched = health is not None and bool(certificate) and not health.distrust
    return BranchStatus(
        name=name,
        vm_id=vm.id,
        state=state_name(vm),
        address=address,
        http=f"https://{in_url(address)}:{HTTPS_PORT}" if certificate else f"http://{in_url(address)}:{HTTP_PORT}",
        dicom=f"{community.branches[name].ae_title}@{in_url(address)}:{DICOM_PORT}",
        enrolled=enrolled,
        ready=not late,
        words=late or (_newer(now, health) if health and vouched else "") or _ready(community, name, health),
        answers=health is not None,
        certificate_until=Certificate(certificate).until if certificate else None,
        revoked=_is_revoked(now, name),
        outbox_bytes=health.outbox_bytes if health else 0,
        outbox_limit_bytes=health.outbox_limit_bytes if health else 0,
        outbox_unwritable=health is not None and health.outbox_unwritable,
        archive_bytes=health.archive_bytes if health else 0,
        archive_free_bytes=health.archive_free_bytes if health else 0,
        archive_nearly_full=health is not None and health.archive_nearly_full,
        referrals_given_up=health.referrals_given_up if health else 0,
        set_aside=health.set_aside if health else 0,
        clock_unset=health is not None and health.clock_unset,
        restart_wanted=health is not None and health.restart_wanted,
        directory_known=health.directory if health and vouched else 0,
        settings_known=health.settings if health and vouched else 0,
    )


def _ready(community: Community, name: str, health: Health | None) -> str:
    """That it is ready, and what it needs nevertheless."""
    if health is None:
        return "ready"
    given = giving(declared_for(community, name))
    needs = {
        f"no referral leaves, since it cannot write in its outbox: {given}": health.outbox_unwritable,
        "its archive is nearly full": health.archive_nearly_full,
        f"images laid aside, for a person to look at: {health.set_aside}": health.set_aside > 0,
        "no time server has set its clock": health.clock_unset,
        "updates wait until its machine is started again": health.restart_wanted,
    }
    return "; ".join(["ready", *(words for words, holds in needs.items() if holds)])


def _newer(now: Found, health: Health) -> str:
    """That an appliance knows a newer directory than there is: what it does not hold is lost, revocations among it."""
    directory = now.view.published.directory
    if directory is None or health.directory <= directory.version:
        return ""
    return (
        f"ready, by version {health.directory} of the directory; the exchange holds {directory.version}: was it "
        "restored from an older copy? Revoke again who was revoked since: what is published next goes above it"
    )


def _enrolling(now: Found, name: str) -> str:
    """What an appliance waits for that the directory does not name."""
    if _is_revoked(now, name):
        return "it is revoked"
    by_hand = f"it waits to be enrolled over SSH, for the cloud has no OneGate: gurney branch enrol {name}"
    return "it has not reported its keys yet" if now.pools.has_onegate else by_hand


def _words(now: Found, name: str, vm: Node, health: Health | Strange | None, *, enrolled: bool) -> str:
    """What an appliance waits for, the first thing first; empty where for nothing."""
    first, directory = now.view.first_name(name), now.view.published.directory
    settled = now.view.published.settings.get(first)
    if state_name(vm) != "RUNNING":
        return f"its VM is {state_words(vm)}"
    if health is None:
        return "it does not answer yet"
    if isinstance(health, Strange):
        return health.words
    waiting = {
        f"the service at its address is that of {health.branch}": health.branch != first,
        _enrolling(now, name): not enrolled,
        "it has not read the directory yet": not health.enrolled,
        "it has not read the newest directory yet": directory is None or health.directory < directory.version,
        "it has not read its settings yet": settled is None or health.settings < settled.version,
        "it knows newer settings than the exchange holds: `gurney apply` publishes above them": settled is None
        or health.settings > settled.version,
        f"its certificate is not accepted: {health.distrust}": bool(health.distrust),
        "it does not take DICOM yet": not health.dicom,
    }
    return next((words for words, holds in waiting.items() if holds), "")
