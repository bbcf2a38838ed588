"""What other versions of OpenNebula lack, of what a community may declare.

Written for 7.4. The sources stand in docs/community.md, row by row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from provision.planning.found import Found
    from provision.planning.resource import Ref, Resource

Release = tuple[int, int]

#: The oldest release whose API was compared with what Gurney calls, and the newest that it was tested against.
OLDEST: Release = (6, 10)
NEWEST: Release = (7, 4)

#: The first release that hands folders to VMs (src/datastore_mad/remotes/virtiofs).
VIRTIOFS_SINCE: Release = (7, 2)

#: The first release whose quotas count PCI devices (include/QuotaVirtualMachine.h).
PCI_QUOTAS_SINCE: Release = (7, 2)


def obstacles_of_version(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """What is declared and this version cannot do, with the alternative."""
    version = found.pools.version
    if wanted and found.pools.release < OLDEST:
        yield f"OpenNebula {version} is older than {_written(OLDEST)}, the first that Gurney knows: upgrade it"
    if found.pools.release < VIRTIOFS_SINCE and any(ref.kind == "exchange" for ref in wanted):
        yield (
            f"OpenNebula {version} cannot hand folders to VMs: virtiofs needs {_written(VIRTIOFS_SINCE)} or later. "
            "Upgrade it, or let the appliances reach the exchange by NFS (exchange: {driver: nfs, server: ...})"
        )


def conditions_of_version(found: Found) -> Iterator[str]:
    """That a version is not the one that Gurney was tested against."""
    if found.pools.release != NEWEST:
        yield f"Gurney was tested against OpenNebula {_written(NEWEST)}; this is {found.pools.version}."


def _written(release: Release) -> str:
    return ".".join(str(number) for number in release)
