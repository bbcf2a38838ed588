"""The nouns of OpenNebula, one a file: what can be done with each, and what happens to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.objects import (
    acl_rule,
    backup_job,
    cluster,
    cluster_quota,
    datastore,
    default_quotas,
    document_object,
    group,
    hook,
    hook_log,
    host,
    image,
    image_clone,
    image_life,
    image_restore,
    image_snapshot,
    market,
    market_app,
    network,
    network_template,
    placement,
    query,
    reservation,
    scheduler,
    security_group,
    session,
    system,
    user,
    vdc,
    virtual_router,
    vm,
    vm_action,
    vm_backup,
    vm_conf,
    vm_disk_change,
    vm_disk_snapshot,
    vm_exec,
    vm_flow,
    vm_group,
    vm_hot,
    vm_info,
    vm_migrate,
    vm_nic_change,
    vm_pci,
    vm_recovery,
    vm_schedule,
    vm_snapshot,
    vm_template,
    zone,
)

if TYPE_CHECKING:
    from emulator.cloud import Event
    from emulator.registry import Table

TABLES: tuple[Table, ...] = tuple(
    module.TABLE
    for module in (
        system, query, session, user, group, default_quotas, acl_rule, vdc, zone, cluster, host, datastore, image,
        image_clone, image_life, image_restore, network, reservation, network_template, security_group, vm_template, vm,
        vm_info,
        vm_action, vm_migrate, vm_recovery, placement, vm_disk_change, vm_disk_snapshot, vm_nic_change, vm_conf,
        vm_snapshot, vm_backup, vm_exec,
        vm_pci, vm_schedule, image_snapshot, virtual_router, vm_group, document_object, market, market_app, hook,
        hook_log, backup_job,
    )
)  # fmt: skip

EVENTS: dict[str, Event] = {
    **cluster_quota.EVENTS,
    **datastore.EVENTS,
    **hook_log.EVENTS,
    **host.EVENTS,
    **image_life.EVENTS,
    **network.EVENTS,
    **image_snapshot.EVENTS,
    **market_app.EVENTS,
    **backup_job.EVENTS,
    **vm.EVENTS,
    **vm_backup.EVENTS,
    **vm_flow.EVENTS,
    **vm_hot.EVENTS,
    **vm_schedule.EVENTS,
    **scheduler.EVENTS,
}
