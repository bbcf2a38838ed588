"""Every kind of resource, each after those that it usually needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.kinds import (
    appliance,
    backup_job,
    cloud_user,
    datastore,
    directory,
    exchange,
    folder,
    group,
    host_hook,
    image,
    keys,
    network,
    rights,
    security_group,
    settings,
    template,
    vdc,
    vm_group,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.declaring.community import Community
    from provision.kind import Kind
    from provision.planning.resource import Existing, Resource
    from provision.planning.view import View

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        keys.KIND,
        datastore.IMAGE_DATASTORE,
        datastore.SYSTEM_DATASTORE,
        exchange.KIND,
        image.OS_IMAGE,
        image.EXCHANGE_IMAGE,
        group.KIND,
        vdc.KIND,
        rights.KIND,
        cloud_user.KIND,
        security_group.KIND,
        network.KIND,
        folder.KIND,
        image.ARCHIVE,
        image.OUTBOX,
        vm_group.KIND,
        template.KIND,
        appliance.KIND,
        host_hook.KIND,
        backup_job.KIND,
        directory.KIND,
        settings.KIND,
    )
}


def declared_resources(community: Community) -> Iterator[Resource]:
    """Everything that a community declares."""
    for kind in KINDS.values():
        yield from kind.declared(community)


def found_resources(view: View) -> Iterator[Existing]:
    """Everything of a community's that stands."""
    for kind in KINDS.values():
        yield from kind.found(view)
