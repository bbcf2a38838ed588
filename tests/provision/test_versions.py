"""Other releases of OpenNebula: what they lack is said at plan time, and what they can do is done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.declaring.reading import parse
from provision.errors import Blocked

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office


@pytest.mark.parametrize("version", ["6.10.5", "7.0.2"])
def test_before_7_2_folders_cannot_be_handed_to_vms(new_office: Callable[..., Office], version: str) -> None:
    office = new_office(version=version)
    with pytest.raises(
        Blocked, match=rf"OpenNebula {version} cannot hand folders to VMs: virtiofs needs 7\.2 .* by NFS"
    ):
        office.apply()
    assert not office.found().view.groups


@pytest.mark.parametrize("version", ["6.10.5", "7.0.2", "7.2.0", "7.4.0"])
def test_with_an_exchange_by_nfs_it_rests_on_all_that_are_known(
    new_office: Callable[..., Office], by_nfs: str, version: str
) -> None:
    office = replace(new_office(version=version), community=parse(by_nfs))
    assert not office.apply().after
    assert office.plan().to_json() == []
    told = [words for words in office.plan().conditions if "was tested against OpenNebula 7.4" in words]
    assert bool(told) == (version != "7.4.0")


def test_limits_that_a_release_does_not_know_are_not_asked_for(new_office: Callable[..., Office], by_nfs: str) -> None:
    """One that is asked for and dropped would be drift for ever."""
    names = {}
    for version in ("7.0.2", "7.2.0"):
        office = replace(new_office(version, version=version), community=parse(by_nfs))
        names[version] = {
            limit.name
            for step in office.plan()
            if step.kind == "group" and step.declared
            for limit in step.declared.spec.quota
        }
    assert names["7.2.0"] - names["7.0.2"] == {"PCI_DEV", "PCI_NIC", "RUNNING_PCI_DEV", "RUNNING_PCI_NIC"}


def test_a_release_that_nobody_compared_is_refused(new_office: Callable[..., Office]) -> None:
    with pytest.raises(Blocked, match=r"OpenNebula 6\.8\.0 is older than 6\.10, the first that Gurney knows"):
        new_office(version="6.8.0").apply()
