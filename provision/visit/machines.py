"""Where a community's appliances are, and by which host key each is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.enrolling.identity import own_identity
from provision.visit.host_keys import HostKeys
from provision.visit.shell import Machine
from provision.vm_state import address_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from provision.declaring.community import Community
    from provision.planning.found import Found


def machines(
    community: Community,
    now: Found,
    names: Iterable[str],
    *,
    port: int,
    identity: Path | None,
    compared: Mapping[str, str],
) -> dict[str, Machine]:
    """Branch to its machine, without an address where it has no VM.

    Parameters
    ----------
    compared
        Branch to the fingerprint of its host key that a person has compared.
    """
    keys, vms = HostKeys(own_identity().path.with_name("appliance_hosts")), now.view.appliances

    def machine(name: str) -> Machine:
        full, first = (f"{community.community}.{each}" for each in (name, community.first_name(name)))
        address = address_of(vms[name]) if name in vms else ""
        return Machine(full, address, port, keys, identity, compared.get(name, ""), first_name=first)

    return {name: machine(name) for name in names}
