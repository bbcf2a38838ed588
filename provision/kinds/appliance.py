"""A branch's appliance: the VM itself."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from provision.errors import CloudError
from provision.kind import MERGE, Kind, handing, renaming
from provision.kinds.ending import end
from provision.kinds.image import ERROR, READY
from provision.kinds.machine import Machine, declared_machine, found_machine, narrowed
from provision.kinds.vm_group import join
from provision.node import first
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource
from provision.vm_state import ACTIVE, POWEROFF, STATES, STILL, last_record, state_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.applying.watch import Watch
    from provision.declaring.community import Community
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

IMAGES_LIMIT_S = 900.0
STATE_LIMIT_S = 300.0
#: Stands on a VM from before it is powered off for a resize until it runs again: since when it ran (RSTIME).
LEFT_OFF = "GURNEY_LEFT_OFF"
#: The states that a resize goes through, in which no guest runs that could write that itself.
OFF = frozenset({"SHUTDOWN_POWEROFF", "POWEROFF", "HOTPLUG_RESIZE", "BOOT_POWEROFF"})


@dataclass(frozen=True)
class Appliance(Machine):
    """How an appliance VM is. It is compared by its own values, for a running VM does not follow its template."""

    group: Ref | None
    template: Ref
    left_off: bool = False
    """Whether a resize that was interrupted has left it off, or its note on it."""


def declared(community: Community) -> Iterator[Resource]:
    """An appliance for each branch."""
    for name in community.branches:
        spec = Appliance(**declared_machine(community, name), group=Ref("group", name), template=Ref("template", name))
        yield Resource(Ref("appliance", name), object_name(community.community, name), spec)


def found(view: View) -> Iterator[Existing]:
    """The appliances that stand, whatever their state."""
    for key, node in view.appliances.items():
        machine = found_machine(view, node.attributes())
        left_off = was_left_off(node)
        spec = Appliance(**machine, group=view.owner(node), template=Ref("template", key), left_off=left_off)
        yield Existing(Ref("appliance", key), node.name, spec, node.id, key, node)


def create(act: Act, resource: Resource) -> int:
    """Start a VM from the branch's template, once its images are ready."""
    spec: Appliance = resource.spec
    wait_for_images(act.watch, {act.id_of(disk.image) for disk in spec.disks})
    extra = act.text("mark", resource)
    return int(act.call("template.instantiate", act.id_of(spec.template), resource.name, False, extra, False))


def wait_for_images(watch: Watch, images: set[int]) -> None:
    """Wait until images can be used; one that OpenNebula could not make is an error."""

    def ready(node: Node | None) -> bool:
        if node is None:
            raise CloudError("one.imagepool.info", "an image that was just made is gone")
        if node.number("STATE") == ERROR:
            words = first(node.attributes(), "ERROR") or "it is in state ERROR, and no reason is given"
            advice = KEEP if node.text("SOURCE") else ADVICE
            raise CloudError("one.image.allocate", words, subject=f"image {node.name}", advice=advice)
        return node.number("STATE") in READY

    watch.until("image", images, ready, what="images to become ready", limit_s=IMAGES_LIMIT_S)


#: What to do about an image that never was one, and about one that holds something.
ADVICE = "the file or folder has to exist on the front end and on every host; delete the image and apply again"
KEEP = "it may hold patients' images, do not delete it: apply again, which takes it into use as it is"


def resize(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
    """Give the VM another CPU share or memory; it is powered off for that, and started again, also when refused."""
    wait_until_still(act, number)
    node = act.desk.cloud.read("vm.info", number, False)
    running = state_name(node) == "RUNNING"
    if running:
        power_off(act, resource, node)
    try:
        act.call("vm.resize", number, act.text("size", resource), True)
    except CloudError:
        if running or was_left_off(node):
            with suppress(CloudError):
                resume(act, resource, number, found)
        raise
    if running or was_left_off(node):
        resume(act, resource, number, found)


def power_off(act: Act, resource: Resource, vm: Node) -> None:
    """Power a VM off, with a note that a resize did; one that runs on loses the note, lest it be believed later."""
    act.call("vm.update", vm.id, act.text("left_off", resource, left_off=running_since(vm)), MERGE)
    try:
        act.call("vm.action", "poweroff", vm.id)
        wait_for_state(act, vm.id, POWEROFF)
    except CloudError:
        with suppress(CloudError):
            if state_name(act.desk.cloud.read("vm.info", vm.id, False)) == "RUNNING":
                act.call("vm.update", vm.id, act.text("left_off", resource, left_off=""), MERGE)
        raise


def resume(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Start the VM that a resize has powered off, and take the note of it away."""
    start_again(act, number)
    act.call("vm.update", number, act.text("left_off", resource, left_off=""), MERGE)


def was_left_off(vm: Node) -> bool:
    """Whether a resize powers a VM off, and it has not run since; a note of another run says nothing.

    One that still runs has the note of a resize that got no further: it is taken away before a person switches it off.
    """
    noted, since = first(vm.attributes("USER_TEMPLATE"), LEFT_OFF), running_since(vm)
    if state_name(vm) == "RUNNING":
        return since == noted
    return bool(noted) and state_name(vm) in OFF and since in {noted, "0"}


def running_since(vm: Node) -> str:
    """When a VM's newest run began, as OpenNebula counts seconds; 0 in a record of its history that has seen none."""
    record = last_record(vm)
    return record.text("RSTIME") if record else "0"


def rewrite_context(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Write the VM's context anew; OpenNebula replaces the disc of a running VM, any other sees it when it starts."""
    wait_until_still(act, number)
    act.call("vm.updateconf", number, act.text("context", resource))


def replaceable(act: Act, resource: Resource) -> None:
    """Wait until the images that are there of a new one can be used: one that cannot be fetched takes nobody down."""
    wait_for_images(act.watch, {act.id_of(disk.image) for disk in resource.spec.disks if disk.image in act.ids})


def remove(act: Act, found: Existing) -> None:
    """End the VM. Its archive is persistent and stays."""
    assert found.node is not None
    end(act, found.node)


def wait_until_still(act: Act, number: int) -> None:
    """Wait until a VM is between two of its ways: only then it can be told anything."""

    def still(node: Node | None) -> bool:
        return node is None or node.number("STATE") != ACTIVE or state_name(node).endswith(STILL)

    act.watch.until("vm", {number}, still, what="the VM to stand still", limit_s=STATE_LIMIT_S)


def wait_until_settled(act: Act, number: int) -> None:
    """Wait until a VM has a host and stands still, or is off: only then its disks can be resized."""

    def settled(node: Node | None) -> bool:
        return node is None or node.number("STATE") == POWEROFF or state_name(node) == "RUNNING"

    act.watch.until("vm", {number}, settled, what="the VM to run, or to be off", limit_s=STATE_LIMIT_S)


def start_again(act: Act, number: int) -> None:
    """Start a VM that is powered off, and see that it runs; OpenNebula may put it back while it still resizes it."""

    def runs(node: Node | None) -> bool:
        if node is not None and node.number("STATE") == POWEROFF:
            with suppress(CloudError):
                act.call("vm.action", "resume", number)
        return node is not None and state_name(node).endswith(STILL)

    act.watch.until("vm", {number}, runs, what="the VM to run again", limit_s=STATE_LIMIT_S)


def wait_for_state(act: Act, number: int, state: int) -> None:
    """Wait until a VM is in a state."""

    def reached(node: Node | None) -> bool:
        return node is not None and node.number("STATE") == state

    act.watch.until("vm", {number}, reached, what=f"the VM to reach {STATES[state]}", limit_s=STATE_LIMIT_S)


KIND = Kind(
    name="appliance",
    declared=declared,
    found=found,
    narrowed=narrowed,
    create=create,
    in_place={
        "name": renaming("vm"),
        "group": handing("vm"),
        "cpu": resize,
        "memory_mib": resize,
        "left_off": resume,
        "context": rewrite_context,
        "token": rewrite_context,
        "apart": join,
    },
    later=("group",),
    tells={
        "cpu": "a running VM is powered off for it and started again",
        "memory_mib": "a running VM is powered off for it and started again",
        "left_off": "a resize was interrupted: what it has left off is started again",
        "context": "the guest takes it over when its disc is replaced; one that does not, when it is started again",
        "token": "the guest takes it over when its disc is replaced; one that does not, when it is started again",
    },
    remove=remove,
    replaceable=replaceable,
)
