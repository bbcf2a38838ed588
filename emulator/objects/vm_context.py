"""The CONTEXT of a virtual machine: what OpenNebula tells it at boot.

References: OpenNebula src/vm/VirtualMachineContext.cc.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING

from emulator.errors import Code, Refused
from emulator.objects.network import ranges
from emulator.objects.vm_nic import all_nics
from emulator.template import is_yes, vectors, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record

# Name after ETHx_ -> attributes of the interface, its range or its network that may tell it.
VARIABLES = {
    "IP": ("IP",), "MAC": ("MAC",), "MASK": ("NETWORK_MASK",), "NETWORK": ("NETWORK_ADDRESS",),
    "GATEWAY": ("GATEWAY",), "DNS": ("DNS",), "SEARCH_DOMAIN": ("SEARCH_DOMAIN",), "MTU": ("GUEST_MTU",),
    "VLAN_ID": ("VLAN_ID",), "VROUTER_IP": ("VROUTER_IP",), "VROUTER_MANAGEMENT": ("VROUTER_MANAGEMENT",),
    "ROUTES": ("ROUTES",), "METHOD": ("METHOD",), "METRIC": ("METRIC",), "EXTERNAL": ("EXTERNAL",),
    "IP6": ("IP6_GLOBAL", "IP6"), "IP6_ULA": ("IP6_ULA",), "IP6_GATEWAY": ("IP6_GATEWAY", "GATEWAY6"),
    "IP6_PREFIX_LENGTH": ("PREFIX_LENGTH",), "IP6_METHOD": ("IP6_METHOD",), "IP6_METRIC": ("IP6_METRIC",),
    "VROUTER_IP6": ("VROUTER_IP6_GLOBAL", "VROUTER_IP6"),
}  # fmt: skip
VECTOR = re.compile(r"\$(USER|NETWORK|IMAGE|TEMPLATE)\[\s*(\w+)\s*(?:,[^\]]*)?\]")
PLAIN = re.compile(r"\$(\w+)")


def build(call: Call, vm: Record, template: Body) -> None:
    """Complete the CONTEXT of a new virtual machine, if it has one.

    Raises
    ------
    Refused
        ALLOCATE, when it asks for a token and there is no OneGate.
    """
    for context in vectors(template, "CONTEXT"):
        for key, value in list(context.items()):
            context[key] = substituted(call, vm, value)
        context["DISK_ID"] = str(len(vectors(template, "DISK")))
        if is_yes(context.get("TOKEN")):
            _add_token(call, vm, context)
        add_network(call, context, template)
        add_mounts(context, template)


def _add_token(call: Call, vm: Record, context: dict[str, str]) -> None:
    endpoint = call.cloud.configuration.onegate
    if not endpoint:
        text = "TOKEN set, but onegate endpoint was not defined in oned.conf or CONTEXT."
        raise Refused(Code.INTERNAL, text)
    context.update({"ONEGATE_ENDPOINT": endpoint, "VMID": str(vm.oid)})
    vm.hidden.setdefault("token", secrets.token_urlsafe(32))


def add_network(call: Call, context: dict[str, str], template: Body) -> None:
    """Write ETHx_ variables of all interfaces, where NETWORK="YES"."""
    for key in [key for key in context if key.startswith("ETH") and "_" in key]:
        del context[key]
    if not is_yes(context.get("NETWORK")):
        return
    numbers: dict[str, int] = {}
    for nic in all_nics(template):
        if "NIC_ID" not in nic:
            continue
        prefix = _prefix(nic, numbers)
        for name, sources in VARIABLES.items():
            context[f"{prefix}{name}"] = _told(call, nic, sources)


def _prefix(nic: dict[str, str], numbers: dict[str, int]) -> str:
    parent = nic.get("PARENT_ID")
    if parent is None:
        return f"ETH{nic['NIC_ID']}_"
    numbers[parent] = numbers.get(parent, -1) + 1
    return f"ETH{parent}_ALIAS{numbers[parent]}_"


def _told(call: Call, nic: dict[str, str], sources: tuple[str, ...]) -> str:
    network = call.store.get("vn", whole(nic.get("NETWORK_ID")))
    one = (
        next((one for one in ranges(network) if one["attributes"]["AR_ID"] == nic.get("AR_ID")), None)
        if network
        else None
    )
    for source in sources:
        value = nic.get(source) or (one["attributes"].get(source) if one and source not in {"IP", "MAC", "IP6"} else "")
        value = value or (network.attribute(source) if network else "")
        if value:
            return str(value)
    return ""


def add_mounts(context: dict[str, str], template: Body) -> None:
    """Write where file systems that are shared with the host are to be mounted."""
    for disk in vectors(template, "DISK"):
        for key in ("MOUNT_TAG", "MOUNT_POINT"):
            if disk.get(key):
                context[f"DISK{disk['DISK_ID']}_{key}"] = disk[key]


def substituted(call: Call, vm: Record, text: str) -> str:
    """A value with `$USER[...]` and `$NAME`-like variables replaced; unknown ones become empty."""
    user = call.store.get("user", call.caller.uid)

    def vector(found: re.Match[str]) -> str:
        return user.attribute(found[2]) if found[1] == "USER" and user else ""

    def plain(found: re.Match[str]) -> str:
        known = {"NAME": vm.name, "VMID": str(vm.oid), "UID": str(vm.uid), "GID": str(vm.gid)}
        known.update({"UNAME": vm.body["UNAME"], "GNAME": vm.body["GNAME"]})
        return known.get(found[1]) or vm.attribute(found[1]) or found[0]

    return PLAIN.sub(plain, VECTOR.sub(vector, text))


def context_file(context: dict[str, str]) -> str:
    """The text of context.sh on the CONTEXT disc."""
    lines = [f"{key}='{_quoted(value)}'" for key, value in sorted(context.items())]
    return "\n".join(["# Context variables generated by OpenNebula", *lines, ""])


def _quoted(value: str) -> str:
    return value.replace("'", "'\\''")
