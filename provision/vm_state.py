"""The state of a VM, in OpenNebula's own words."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

from provision.node import first, vectors

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address

    from provision.node import Node

#: STATE, as OpenNebula 7.4 counts.
_STATES = "INIT PENDING HOLD ACTIVE STOPPED SUSPENDED DONE FAILED POWEROFF UNDEPLOYED CLONING CLONING_FAILURE"
STATES = tuple(_STATES.split())
PENDING, ACTIVE, DONE, POWEROFF = 1, 3, 6, 8

#: LCM_STATE while ACTIVE; pyone's table lacks the last three.
_LCM_STATES = """
LCM_INIT PROLOG BOOT RUNNING MIGRATE SAVE_STOP SAVE_SUSPEND SAVE_MIGRATE PROLOG_MIGRATE PROLOG_RESUME EPILOG_STOP
EPILOG SHUTDOWN CANCEL FAILURE CLEANUP_RESUBMIT UNKNOWN HOTPLUG SHUTDOWN_POWEROFF BOOT_UNKNOWN BOOT_POWEROFF
BOOT_SUSPENDED BOOT_STOPPED CLEANUP_DELETE HOTPLUG_SNAPSHOT HOTPLUG_NIC HOTPLUG_SAVEAS HOTPLUG_SAVEAS_POWEROFF
HOTPLUG_SAVEAS_SUSPENDED SHUTDOWN_UNDEPLOY EPILOG_UNDEPLOY PROLOG_UNDEPLOY BOOT_UNDEPLOY HOTPLUG_PROLOG_POWEROFF
HOTPLUG_EPILOG_POWEROFF BOOT_MIGRATE BOOT_FAILURE BOOT_MIGRATE_FAILURE PROLOG_MIGRATE_FAILURE PROLOG_FAILURE
EPILOG_FAILURE EPILOG_STOP_FAILURE EPILOG_UNDEPLOY_FAILURE PROLOG_MIGRATE_POWEROFF
PROLOG_MIGRATE_POWEROFF_FAILURE PROLOG_MIGRATE_SUSPEND PROLOG_MIGRATE_SUSPEND_FAILURE BOOT_UNDEPLOY_FAILURE
BOOT_STOPPED_FAILURE PROLOG_RESUME_FAILURE PROLOG_UNDEPLOY_FAILURE DISK_SNAPSHOT_POWEROFF
DISK_SNAPSHOT_REVERT_POWEROFF DISK_SNAPSHOT_DELETE_POWEROFF DISK_SNAPSHOT_SUSPENDED
DISK_SNAPSHOT_REVERT_SUSPENDED DISK_SNAPSHOT_DELETE_SUSPENDED DISK_SNAPSHOT DISK_SNAPSHOT_REVERT
DISK_SNAPSHOT_DELETE PROLOG_MIGRATE_UNKNOWN PROLOG_MIGRATE_UNKNOWN_FAILURE DISK_RESIZE DISK_RESIZE_POWEROFF
DISK_RESIZE_UNDEPLOYED HOTPLUG_NIC_POWEROFF HOTPLUG_RESIZE HOTPLUG_SAVEAS_UNDEPLOYED HOTPLUG_SAVEAS_STOPPED
BACKUP BACKUP_POWEROFF RESTORE
"""
LCM_STATES = tuple(_LCM_STATES.split())

#: How the names of ACTIVE states end in which nothing is under way.
STILL = ("RUNNING", "UNKNOWN", "FAILURE")
OFF = ("POWEROFF", "SUSPENDED", "STOPPED", "UNDEPLOYED", "HOLD")


def state_name(vm: Node) -> str:
    """The state as OpenNebula's tools show it: RUNNING, PENDING, BOOT_FAILURE."""
    state, lcm = vm.number("STATE"), vm.number("LCM_STATE")
    if state == ACTIVE:
        return LCM_STATES[lcm] if 0 <= lcm < len(LCM_STATES) else f"LCM_STATE {lcm}"
    return STATES[state] if 0 <= state < len(STATES) else f"STATE {state}"


def stands_still(state: str) -> bool:
    """Whether a VM in a state, as `state_name` names it, stays there until somebody tells it something else."""
    return state.endswith("FAILURE") or state in OFF


def state_words(vm: Node) -> str:
    """The state, and why a VM waits where OpenNebula says so."""
    name = state_name(vm)
    why = first(vm.attributes("USER_TEMPLATE"), "SCHED_MESSAGE") if vm.number("STATE") == PENDING else ""
    why = why or first(vm.attributes("USER_TEMPLATE"), "ERROR") * name.endswith("FAILURE")
    return f"{name}: {why}" if why else name


def last_record(vm: Node) -> Node | None:
    """What OpenNebula has noted of the host that a VM is on, or was on last; None where it was on none yet."""
    return next(reversed(list(vm.children("HISTORY_RECORDS/HISTORY"))), None)


def host_of(vm: Node) -> str:
    """The name of the host that a VM is on, or was on last; empty where it was on none yet."""
    record = last_record(vm)
    return record.text("HOSTNAME") if record else ""


#: Under which names OpenNebula writes the addresses that it gave a card, and that mean something beyond its network.
OF_A_CARD = ("IP", "IP6", "IP6_ULA", "IP6_GLOBAL")


def address_of(vm: Node) -> str:
    """Where a VM is reached: the address that its guest agent reports, or that of its first network card.

    A guest agent is believed where it names one of the VM's own cards, or a loopback address, as VMs of the embedded
    cloud have; what else a guest writes there nobody is sent to.
    """
    cards = vectors(vm.attributes(), "NIC")
    own = {_address_in(card.get(name, "")) for card in cards for name in OF_A_CARD}
    reported = _address_in(vm.text("MONITORING/GUEST_IP"))
    if reported is not None and (reported in own or reported.is_loopback):
        return str(reported)
    return cards[0].get("IP", "") if cards else ""


def _address_in(text: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is; None where it is none, or one with a zone, which means nothing elsewhere."""
    with suppress(ValueError):
        return None if "%" in text else ip_address(text)
    return None
