"""What may have happened to a community's things since the last apply: by hand, or by a guest."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from provision.kinds.ending import RECOVER_DELETE
from provision.kinds.network import ranges_of
from provision.vm_state import POWEROFF, state_name
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.node import Node
    from tests.provision.conftest import Office

#: Group, owner and other each use, manage and administer.
ALL_MAY = (1,) * 9


def one_of(office: Office, kind: str, choice: int) -> Node:
    """One of our objects of a marked kind; `IndexError` where there is none."""
    nodes = [node for _, node in office.found().view.ours(kind)]
    return nodes[choice % len(nodes)] if nodes else _none(kind)


def group(office: Office, choice: int) -> Node:
    nodes = list(office.found().view.groups.values())
    return nodes[choice % len(nodes)] if nodes else _none("group")


def vdc(office: Office, choice: int) -> Node:
    nodes = list(office.found().view.vdcs.values())
    return nodes[choice % len(nodes)] if nodes else _none("vdc")


def vm(office: Office, choice: int) -> Node:
    nodes = list(office.found().view.appliances.values())
    return nodes[choice % len(nodes)] if nodes else _none("appliance")


def _none(kind: str) -> Node:
    raise LookupError(f"no {kind} stands")


def theirs(office: Office, pool: str) -> int:
    """The object of somebody else."""
    return next(node.id for node in office.found().pools.nodes[pool] if node.name == "theirs")


def _running(office: Office, choice: int) -> int:
    number = vm(office, choice).id
    until(lambda: state_name(office.found().pools.by_id["vm"][number]) in {"RUNNING", "POWEROFF"})
    return number


def hold(office: Office, choice: int) -> None:
    """Somebody keeps an address for nobody."""
    node = one_of(office, "network", choice)
    first, size = max((ends for _, ends in ranges_of(node)), key=lambda ends: ends[1])
    office.raw("vn.hold", node.id, f'LEASES=[IP="{first + size - 1 - choice}"]')


def end_a_vm(office: Office, choice: int) -> None:
    """A VM is ended behind our back."""
    number = _running(office, choice)
    office.raw("vm.action", "terminate-hard", number)
    until(lambda: number not in office.found().pools.by_id["vm"])


def power_off(office: Office, choice: int) -> None:
    """Somebody stops a VM."""
    number = _running(office, choice)
    office.raw("vm.action", "poweroff-hard", number)
    until(lambda: office.found().pools.by_id["vm"][number].number("STATE") == POWEROFF)


def resize(office: Office, choice: int) -> None:
    """Somebody stops a VM and gives it less."""
    power_off(office, choice)
    office.raw("vm.resize", vm(office, choice).id, 'CPU="1"\nMEMORY="1024"', False)


def lose_an_archive(office: Office, choice: int) -> None:
    """Somebody ends a VM and deletes its archive, although it is locked."""
    number = one_of(office, "archive", choice).id
    users = office.found().pools.by_id["image"][number].ids("VMS")
    for vm_id in users:
        office.raw("vm.recover", vm_id, RECOVER_DELETE)
    until(lambda: not set(users) & set(office.found().pools.by_id["vm"]))
    office.raw("image.unlock", number)
    office.raw("image.delete", number, False)
    until(lambda: number not in office.found().pools.by_id["image"])


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.005)  # hundreds of examples wait here


def _rule(office: Office, choice: int, resource: int, rights: int) -> Any:
    return office.raw("acl.addrule", f"{0x200000000 + group(office, choice).id:x}", f"{resource:x}", f"{rights:x}")


def _update(api: str, kind: str, text: str) -> Callable[[Office, int], Any]:
    return lambda office, choice: office.raw(f"{api}.update", one_of(office, kind, choice).id, text, 1)


def _chmod(api: str, kind: str) -> Callable[[Office, int], Any]:
    return lambda office, choice: office.raw(f"{api}.chmod", one_of(office, kind, choice).id, *ALL_MAY)


def _rename(api: str, kind: str) -> Callable[[Office, int], Any]:
    return lambda office, choice: office.raw(f"{api}.rename", one_of(office, kind, choice).id, f"renamed-{choice}")


def _regroup(api: str, kind: str) -> Callable[[Office, int], Any]:
    return lambda office, choice: office.raw(f"{api}.chown", one_of(office, kind, choice).id, -1, 0)


def _delete(api: str, kind: str, *more: Any) -> Callable[[Office, int], Any]:
    return lambda office, choice: office.raw(f"{api}.delete", one_of(office, kind, choice).id, *more)


#: What happens to one of our objects, which a number chooses; calls that OpenNebula refuses have not happened.
DRIFTS: dict[str, Callable[[Office, int], Any]] = {
    "a quota": lambda o, c: o.raw("group.quota", group(o, c).id, 'VM=[VMS="7"]'),
    "a quota of a datastore": lambda o, c: o.raw("group.quota", group(o, c).id, 'DATASTORE=[ID="1",SIZE="-2"]'),
    "a group's mark": lambda o, c: o.raw("group.update", group(o, c).id, 'GURNEY_KEY="x"', 1),
    "a group's mark is gone": lambda o, c: o.raw("group.update", group(o, c).id, 'A="b"', 0),
    "a group": lambda o, c: o.raw("group.delete", group(o, c).id),
    "in the default VDC": lambda o, c: o.raw("vdc.addgroup", 0, group(o, c).id),
    "a right": lambda o, c: _rule(o, c, 0x8400000000, 7),
    "another right": lambda o, c: _rule(o, c, 0x1400000000, 1),
    "a VDC": lambda o, c: o.raw("vdc.delete", vdc(o, c).id),
    "a VDC's name": lambda o, c: o.raw("vdc.rename", vdc(o, c).id, f"renamed-{c}"),
    "a VDC's network": lambda o, c: o.raw("vdc.addvnet", vdc(o, c).id, 0, one_of(o, "network", c + 1).id),
    "a VDC's cluster": lambda o, c: o.raw("vdc.addcluster", vdc(o, c).id, 0, 0),
    "a VDC's host": lambda o, c: o.raw("vdc.delhost", vdc(o, c).id, 0, 0),
    "another group in a VDC": lambda o, c: o.raw("vdc.addgroup", vdc(o, c).id, theirs(o, "group")),
    "rules": _update("secgroup", "security-group", 'RULE=[PROTOCOL="ALL",RULE_TYPE="INBOUND"]'),
    "a security group's mode": _chmod("secgroup", "security-group"),
    "a security group's group": _regroup("secgroup", "security-group"),
    "a security group": _delete("secgroup", "security-group"),
    "a gateway": _update("vn", "network", 'GATEWAY="10.9.9.9"'),
    "name servers": _update("vn", "network", 'DNS="10.9.9.9"'),
    "a held address": hold,
    "addresses": lambda o, c: o.raw("vn.add_ar", one_of(o, "network", c).id, 'AR=[TYPE="IP4",IP="10.77.0.1",SIZE="4"]'),
    "a network's mode": _chmod("vn", "network"),
    "a network's group": _regroup("vn", "network"),
    "a network's name": _rename("vn", "network"),
    "a network": _delete("vn", "network"),
    "a lock": lambda o, c: o.raw("image.unlock", one_of(o, "archive", c).id),
    "an archive": lose_an_archive,
    "an outbox's mode": _chmod("image", "outbox"),
    "an outbox's name": _rename("image", "outbox"),
    "an outbox's group": _regroup("image", "outbox"),
    "an outbox is persistent": lambda o, c: o.raw("image.persistent", one_of(o, "outbox", c).id, True),
    "an outbox": _delete("image", "outbox", False),
    "the OS image's mode": _chmod("image", "appliance-image"),
    "the exchange's name": _rename("datastore", "exchange"),
    "the exchange's folders": _update("datastore", "exchange", 'SAFE_DIRS="/srv"'),
    "a template": _delete("template", "template", False),
    "a template's disk": _update("template", "template", 'DISK=[IMAGE_ID="0"]'),
    "a template's size": _update("template", "template", 'CPU="7"'),
    "a template's mode": _chmod("template", "template"),
    "a template's name": _rename("template", "template"),
    "a VM's group": lambda o, c: o.raw("vm.chown", vm(o, c).id, -1, 0),
    "a VM's name": lambda o, c: o.raw("vm.rename", vm(o, c).id, f"renamed-{c}"),
    "a VM's marks": lambda o, c: o.raw("vm.update", vm(o, c).id, 'GURNEY_KEY="x"', 1),
    "a VM's context": lambda o, c: o.raw("vm.updateconf", _running(o, c), 'CONTEXT=[GURNEY_BRANCH="x"]'),
    "a VM's size": resize,
    "a VM is off": power_off,
    "a VM": end_a_vm,
}
