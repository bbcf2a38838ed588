"""Images: the appliance's OS, each branch's archive, and the exchange's folders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from exchange import places
from provision.declaring.sizes import Size
from provision.errors import CloudError
from provision.kind import MERGE, Kind, handing, permitting, renaming
from provision.kinds.datastore import IMAGES, images_of
from provision.node import first
from provision.planning.marks import object_name
from provision.planning.resource import Existing, Ref, Resource
from provision.pools import APPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.declaring.community import Community
    from provision.kind import Act, Setter
    from provision.node import Node
    from provision.planning.view import View

#: OpenNebula's numbers for types of images (pyone's are wrong from FILESYSTEM on).
TYPES = {"OS": 0, "CDROM": 1, "DATABLOCK": 2, "BACKUP": 6, "FILESYSTEM": 7}

#: States of an image: what is ready for use, what never will be, and what an apply before this one has deleted.
READY = frozenset({1, 2, 8})
ERROR, GOING = 5, 7

MEASURED_LIMIT_S, DELETED_LIMIT_S = 120.0, 600.0

#: The archive's place among an appliance's disks.
ARCHIVE_DISK = 1

#: Locks everything but use: the image serves its VM, and nobody deletes it by mistake.
LOCK_MANAGE = 2


@dataclass(frozen=True)
class Image:
    """How an image is. `source` is a path or a URL, `app` an appliance of a marketplace in place of it.

    `size` is said of data blocks alone.
    """

    group: Ref | None
    mode: str
    type: str
    datastore: Ref
    persistent: bool
    source: str = ""
    size: Size | None = None
    locked: bool = False
    app: Ref | None = None
    failed: bool = False
    """Whether it is a data block that OpenNebula holds in ERROR, as it does when the VM that used it is deleted by
    force: what is on it is as that VM's host gave it back last."""


def os_image_key(source: str) -> str:
    """The key of an OS image: another source is another image, so that VMs move from one to the other."""
    return sha256(source.encode()).hexdigest()[:8]


def declared_os(community: Community) -> Iterator[Resource]:
    """The image that every appliance boots."""
    source = community.image.source
    ref = Ref("appliance-image", os_image_key(source))
    datastore = images_of(community)
    app = None if community.image.marketplace is None else Ref("marketplace-app", community.image.marketplace)
    spec = Image(None, "600", "OS", datastore, persistent=False, source="" if app else source, app=app)
    yield Resource(ref, object_name(community.community, f"appliance-{ref.key}"), spec)


def declared_exchange(community: Community) -> Iterator[Resource]:
    """The whole exchange, which every appliance may read, where its host hands it over."""
    if not community.by_virtiofs:
        return
    spec = Image(None, "600", "FILESYSTEM", Ref("exchange"), persistent=False, source=community.exchange.path)
    yield Resource(Ref("exchange-image"), object_name(community.community, "exchange"), spec)


def declared_archives(community: Community) -> Iterator[Resource]:
    """The disk on which each branch keeps its patients' images."""
    datastore = images_of(community)
    for name in community.branches:
        size = community.capacity(name).archive
        group = Ref("group", name)
        spec = Image(group, "600", "DATABLOCK", datastore, persistent=True, size=size, locked=True)
        yield Resource(Ref("archive", name), object_name(community.community, name, "archive"), spec)


def declared_outboxes(community: Community) -> Iterator[Resource]:
    """The one place in the exchange where each branch may write, where its host hands it over."""
    for name in community.branches if community.by_virtiofs else ():
        path = f"{community.exchange.path}/{places.outbox_of(community.first_name(name))}"
        spec = Image(Ref("group", name), "600", "FILESYSTEM", Ref("exchange"), persistent=False, source=path)
        yield Resource(Ref("outbox", name), object_name(community.community, name, "outbox"), spec)


def found(kind: str, view: View) -> Iterator[Existing]:
    """The images of one kind that stand."""
    types = {number: name for name, number in TYPES.items()}
    for key, node in view.ours(kind):
        type_name = types.get(node.number("TYPE"), node.text("TYPE"))
        app = first(node.attributes(), "FROM_APP_NAME")
        in_error = node.number("STATE") == ERROR and node.text("SOURCE") != ""
        spec = Image(
            group=view.owner(node),
            mode=node.mode,
            type=type_name,
            datastore=view.ref("datastore", node.number("DATASTORE_ID")),
            persistent=node.number("PERSISTENT") == 1,
            source="" if app or type_name == "DATABLOCK" else node.text("PATH"),
            app=Ref("marketplace-app", app) if app else None,
            size=Size(node.number("SIZE")) if type_name == "DATABLOCK" else None,
            locked=node.number("LOCK/LOCKED", 0) > 0,
            failed=type_name == "DATABLOCK" and in_error,
        )
        yield Existing(Ref(kind, key), node.name, spec, node.id, view.marked_key(kind, node), node)


def create(act: Act, resource: Resource) -> int:
    """Make the image, with its mark; it becomes ready some time later."""
    datastore = act.id_of(resource.spec.datastore)
    new = datastore in act.unmeasured or resource.spec.datastore.kind == IMAGES
    if new and resource.spec.type != "FILESYSTEM":
        act.watch.until("datastore", {datastore}, _measured, what="the datastore's size", limit_s=MEASURED_LIMIT_S)
    if act.desk.uploads is not None and resource.spec.type == "OS" and resource.spec.source.startswith("/"):
        act.desk.uploads.bring(resource.spec.source, act.watch.go_on)
    app = _app_id(act, resource.spec.app) if resource.spec.app else None
    digest = _digest(act, resource)
    return int(act.call("image.allocate", act.text("image", resource, app=app, digest=digest), datastore))


def _digest(act: Act, resource: Resource) -> str:
    """The SHA-256 of the file that lies here for an OS image, so that another one of its name is noticed."""
    source = resource.spec.source if resource.spec.type == "OS" else ""
    return act.desk.uploads.digest(source) if source and act.desk.uploads is not None else ""


def _app_id(act: Act, app: Ref) -> int:
    """The number of a marketplace's appliance, which the plan saw; another of its name may have come since, or none."""
    method, arguments, tag = APPS
    numbers = [node.id for node in act.desk.cloud.read(method, *arguments).children(tag) if node.name == app.key]
    if len(numbers) != 1:
        words = f"{len(numbers)} appliances of marketplaces are called {app.key!r} now, and there was one"
        raise CloudError(f"one.{method}", words, advice="see onemarketapp list, and look at a new plan")
    return numbers[0]


def _measured(datastore: Node | None) -> bool:
    """Whether OpenNebula knows how much room there is; until it does, it takes the datastore to be full."""
    return datastore is None or datastore.number("TOTAL_MB", 0) > 0


def unlocked(change: Setter) -> Setter:
    """A change that a lock would forbid: unlocks, changes, and locks again."""

    def changed(act: Act, resource: Resource, number: int, found: Existing | None) -> None:
        if found is not None and found.spec.locked:
            act.call("image.unlock", number)
        change(act, resource, number, found)
        if found is not None and found.spec.locked and resource.spec.locked:
            act.call("image.lock", number, LOCK_MANAGE, False)

    return changed


def remark(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Write the mark anew."""
    act.call("image.update", number, act.text("mark", resource), MERGE)


def set_lock(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Lock the image against deletion, or free it."""
    if resource.spec.locked:
        act.call("image.lock", number, LOCK_MANAGE, False)
    else:
        act.call("image.unlock", number)


def take_into_use(act: Act, _resource: Resource, number: int, found: Existing | None) -> None:
    """Take an image out of ERROR."""
    take_back(act, number, locked=found is not None and found.spec.locked)


def take_back(act: Act, number: int, *, locked: bool) -> None:
    """Let an image be used again as it is."""
    if locked:
        act.call("image.unlock", number)
    act.call("image.enable", number, True)
    if locked:
        act.call("image.lock", number, LOCK_MANAGE, False)


def set_persistent(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Make changes last beyond a VM's life, or not."""
    act.call("image.persistent", number, resource.spec.persistent)


def grow(act: Act, resource: Resource, _number: int, _found: Existing | None) -> None:
    """Give the archive more room, through the VM that has it: OpenNebula cannot resize an image by itself."""
    from provision.kinds.appliance import wait_until_settled

    vm = act.id_of(Ref("appliance", resource.ref.key))
    wait_until_settled(act, vm)
    act.call("vm.diskresize", vm, ARCHIVE_DISK, str(resource.spec.size.mib))
    wait_until_settled(act, vm)


def remove(act: Act, found: Existing) -> None:
    """Delete the image and what is on it; the exchange's folders stay on the hosts."""
    if found.node is None or found.node.number("STATE") != GOING:
        if found.spec.locked:
            act.call("image.unlock", found.id)
        act.call("image.delete", found.id, False)
    act.watch.until("image", {found.id}, _gone, what=f"image {found.name} to go", limit_s=DELETED_LIMIT_S)


def _gone(image: Node | None) -> bool:
    """Whether an image is deleted; one whose file could not be removed stays, in state ERROR."""
    if image is not None and image.number("STATE") == ERROR:
        words = first(image.attributes(), "ERROR") or "its file could not be removed"
        raise CloudError("one.image.delete", words, advice="remove the file, then delete the image with --force")
    return image is None


def _kind(
    name: str, declared: Callable[[Community], Iterator[Resource]], *later: str, after: str = "", **more: Setter
) -> Kind:
    return Kind(
        name=name,
        declared=declared,
        found=partial(found, name),
        create=create,
        in_place={
            "failed": take_into_use,
            "key": unlocked(remark),
            "name": unlocked(renaming("image")),
            "group": unlocked(handing("image")),
            "mode": unlocked(permitting("image")),
            "persistent": unlocked(set_persistent),
            "locked": set_lock,
            **more,
        },
        later=later,
        remove=remove,
        after=(after,) if after else (),
        tells={"failed": "OpenNebula holds it in ERROR, since its VM was deleted by force: it is used again as it is"},
    )


OS_IMAGE = _kind("appliance-image", declared_os, "mode")
EXCHANGE_IMAGE = _kind("exchange-image", declared_exchange, "mode")
ARCHIVE = replace(
    _kind("archive", declared_archives, "group", "mode", "locked", size=grow), through={"size": "appliance"}
)
OUTBOX = _kind("outbox", declared_outboxes, "group", "mode", after="outbox-folder")
