"""Branches with certificates, and what the directory says of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from exchange import directory as directories
from exchange.authority import LIFETIME
from exchange.certificate import Certificate
from exchange.keys import BranchKeys
from exchange.proof import prove, prove_request
from exchange.tls_key import TlsKey
from provision.enrolling.enrolment import enrol

if TYPE_CHECKING:
    from exchange.directory import Directory, DirectoryBranch
    from tests.provision.conftest import Office

NOW = datetime.now(UTC)


def report(office: Office, branch: str, keys: BranchKeys, tls_key: TlsKey) -> None:
    """What the guest of a branch's appliance reports through OneGate."""
    vm, request = office.found().view.appliances[branch].id, tls_key.request()
    told = {
        "SIGN_KEY": keys.public.sign,
        "SEAL_KEY": keys.public.seal,
        "PROOF": prove(keys, "kongu", branch, vm),
        "TLS_REQUEST": request,
        "TLS_PROOF": prove_request(keys, request, "kongu", branch, vm),
    }
    office.raw("vm.update", vm, "\n".join(f'GURNEY_{name}="{value}"' for name, value in told.items()), 1)


def standing(office: Office) -> Directory:
    directory = office.found().view.published.directory
    assert directory is not None
    return directory


def certificate(office: Office, branch: str = "erode") -> Certificate:
    return Certificate.from_text(standing(office).branch(branch).certificate)


def publish(office: Office, *entries: DirectoryBranch) -> None:
    """Publish the directory once more, with these entries."""
    keys, before = office.found().keys, standing(office)
    assert keys is not None
    names = {entry.name: entry for entry in entries}
    branches = tuple(names.get(entry.name, entry) for entry in before.branches)
    directories.publish(office.desk.store, replace(before, version=before.version + 1, branches=branches), keys.sign)


def aged(office: Office, branch: str, left: timedelta) -> None:
    """Give a branch a certificate of which so much is left."""
    keys, entry = office.found().keys, standing(office).branch(branch)
    assert keys is not None
    assert keys.authority is not None
    names = Certificate(entry.certificate).names
    old = keys.authority.certify("kongu", branch, entry.tls_key, names, NOW + left - LIFETIME)
    publish(office, replace(entry, certificate=old.text))


def with_certificates(office: Office) -> Office:
    """Two branches with certificates."""
    office.apply()
    for branch in ("erode", "salem"):
        report(office, branch, BranchKeys.generate(), TlsKey.generate())
    enrol(office.desk, office.community)
    return office
