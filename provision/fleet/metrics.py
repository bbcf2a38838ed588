"""The fleet as a Prometheus textfile, for the node exporter to pick up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from provision.fleet.glance import FleetLine

#: Name and words of each gauge, and how it is taken from a line.
GAUGES: dict[str, tuple[str, Callable[[FleetLine], float]]] = {
    "gurney_appliance_ready": ("1 where the appliance is enrolled and answers", lambda line: line.status.ready),
    "gurney_appliance_enrolled": ("1 where the directory names the branch", lambda line: line.status.enrolled),
    "gurney_appliance_running": ("1 where the VM runs", lambda line: line.status.state == "RUNNING"),
    "gurney_certificate_end_seconds": (
        "When the appliance's TLS certificate ends, in seconds since 1970; 0 where it has none",
        lambda line: line.status.certificate_until.timestamp() if line.status.certificate_until else 0,
    ),
    "gurney_drift_steps": ("Steps that apply would take for the branch", lambda line: line.drift),
    "gurney_quota_cpu_used": ("CPU that the branch uses of its quota", lambda line: line.cpu.used),
    "gurney_quota_memory_used_bytes": ("Memory that the branch uses", lambda line: line.memory_mib.used * 2**20),
    "gurney_quota_disk_used_bytes": ("Disk that the branch uses", lambda line: line.disk_mib.used * 2**20),
    "gurney_archive_size_bytes": ("Size of the archive disk", lambda line: line.archive_mib * 2**20),
    "gurney_archive_free_bytes": (
        "Free on the archive's disk, as the appliance says; 0 where it does not",
        lambda line: line.status.archive_free_bytes,
    ),
    "gurney_outbox_unwritable": (
        "1 where the appliance cannot write in its outbox, so that no referral leaves",
        lambda line: line.status.outbox_unwritable,
    ),
    "gurney_outbox_used_bytes": ("Outbox that referrals on their way need", lambda line: line.status.outbox_bytes),
    "gurney_outbox_limit_bytes": (
        "What the outbox may hold; 0 where it has no limit",
        lambda line: line.status.outbox_limit_bytes,
    ),
    "gurney_referrals_given_up": (
        "Referrals that ended the service each time that they were taken",
        lambda line: line.status.referrals_given_up,
    ),
    "gurney_images_set_aside": (
        "Images that came under the UID of another, or were in no index, and lie aside in the archive",
        lambda line: line.status.set_aside,
    ),
    "gurney_clock_unset": ("1 where no time server has set the machine's clock", lambda line: line.status.clock_unset),
    "gurney_restart_wanted": (
        "1 where updates wait until the machine is started again",
        lambda line: line.status.restart_wanted,
    ),
    "gurney_last_backup_timestamp_seconds": (
        "When OpenNebula backed the appliance up last; 0 where it never did",
        lambda line: line.last_backup.made.timestamp() if line.last_backup else 0,
    ),
    "gurney_datastore_free_bytes": ("Free in the archive's datastore", lambda line: line.datastore_free_mib * 2**20),
}


def write_metrics(path: Path, community: str, lines: Iterable[FleetLine]) -> None:
    """Write the file, whole or not at all."""
    registry = CollectorRegistry()
    gauges = {
        name: Gauge(name, words, ["community", "branch"], registry=registry) for name, (words, _) in GAUGES.items()
    }
    for line in lines:
        for name, (_, taken) in GAUGES.items():
            gauges[name].labels(community, line.status.name).set(taken(line))
    write_to_textfile(str(path), registry)
