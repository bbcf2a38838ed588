"""Datastores that a community has made for itself: on each host, in folders that hosts share, or in Ceph."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.applying.apply import apply
from provision.applying.destroy import plan_to_destroy
from provision.declaring.reading import parse
from provision.errors import Blocked, NotFinished

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture

    from tests.provision.conftest import Office

NAMED = "datastores: {images: default, system: system}"
SECRET = "0b3f1c1e-7f0a-4d56-9d2e-5b8f6a3c1d2e"
CEPH = ("POOL_NAME", "CEPH_HOST", "CEPH_USER", "CEPH_SECRET", "BRIDGE_LIST", "DISK_TYPE", "TM_MAD")
PLACE = f"{{pool: one, monitors: [mon1, 'mon2:6789'], bridges: [one, two], secret: {SECRET}, user: oneadmin}}"
MADE = {
    "local": "datastores: {make: {storage: local}}",
    "shared": "datastores: {make: {storage: shared}}",
    "ceph": f"datastores: {{make: {{storage: ceph, ceph: {PLACE}}}}}",
}


@pytest.mark.parametrize("storage", ["local", "shared"])
def test_a_community_stands_upon_its_own_datastores(office: Office, example_text: str, storage: str) -> None:
    office = replace(office, community=parse(example_text.replace(NAMED, MADE[storage])))
    assert not office.apply().after
    office.until_running()
    now = office.found()
    made = {node.name: node for node in now.pools.nodes["datastore"] if node.name.startswith("kongu.")}
    assert set(made) == {"kongu.images", "kongu.system", "kongu.exchange"}
    assert (made["kongu.images"].text("DS_MAD"), made["kongu.images"].text("TM_MAD")) == ("fs", storage)
    assert (made["kongu.system"].text("TYPE"), made["kongu.system"].text("TM_MAD")) == ("1", storage)
    images = {node.number("DATASTORE_ID") for kind in ("archive", "appliance-image") for _, node in now.view.ours(kind)}
    assert images == {made["kongu.images"].id}
    assert office.plan().to_json() == []
    apply(office.desk, plan_to_destroy(office.found()), allow=frozenset({"erode", "salem", "karur"}))
    assert [node.name for node in office.found().pools.nodes["datastore"]] == ["system", "default", "files"]


def test_ceph_is_told_where_it_is_and_follows(office: Office, example_text: str, mocker: MockerFixture) -> None:
    """No Ceph answers here, so its size stays unknown, as on a front end that cannot reach it: that is told."""
    mocker.patch("provision.kinds.image.MEASURED_LIMIT_S", 0.3)
    text = example_text.replace(NAMED, MADE["ceph"])
    with pytest.raises(NotFinished, match=r"the datastore's size: not after 0\.3 s"):
        office.apply(text)
    for kind in ("image-datastore", "system-datastore"):
        (node,) = dict(office.found().view.ours(kind)).values()
        told = {name: node.attributes()[name] for name in CEPH}
        assert told == {
            "POOL_NAME": "one", "CEPH_HOST": "mon1 mon2:6789", "CEPH_USER": "oneadmin", "CEPH_SECRET": SECRET,
            "BRIDGE_LIST": "one two", "DISK_TYPE": "RBD", "TM_MAD": "ceph",
        }  # fmt: skip
    moved = text.replace("mon1", "mon3")
    changed = {(step.kind, change.field) for step in office.plan(moved) for change in step.changes}
    assert changed == {("image-datastore", "attributes"), ("system-datastore", "attributes")}
    with pytest.raises(NotFinished, match="the datastore's size"):
        office.apply(moved)
    assert not [step for step in office.plan(moved) if "datastore" in step.kind], "it was told, and rests"


def test_images_do_not_move_between_datastores_without_leave(office: Office, example_text: str) -> None:
    """OpenNebula cannot move an image: the archive would be made anew, and empty."""
    office.apply(example_text)
    office.until_running()
    with pytest.raises(Blocked, match=r"archive kongu\.erode\.archive loses all images of erode"):
        office.apply(example_text.replace(NAMED, MADE["shared"]))


def test_datastores_and_the_image_are_made_anew_together(office: Office, example_text: str) -> None:
    """The old image cannot stay for who might go back to it: its datastore goes."""
    office.apply(example_text.replace(NAMED, MADE["local"]))
    office.until_running()
    (office.folder / "state/host/var/tmp/new.qcow2").write_bytes(bytes(1 << 20))
    text = example_text.replace(NAMED, MADE["shared"]).replace("gurney-appliance.qcow2", "new.qcow2")
    with pytest.raises(Blocked, match=r"archive kongu\.erode\.archive loses all images of erode"):
        office.apply(text)
    assert not office.apply(text, allow=frozenset(office.community.branches)).after


def test_own_datastores_that_hosts_share_let_vms_start_elsewhere(
    new_office: Callable[..., Office], example_text: str
) -> None:
    office = new_office(hosts=("one", "two"))
    text = example_text.replace("referrals:", "on_host_failure: restart\nreferrals:")
    with pytest.raises(Blocked, match=r"datastore kongu\.system \(TM_MAD local\), which hosts do not share"):
        office.apply(text.replace(NAMED, MADE["local"]))
    assert not office.apply(text.replace(NAMED, MADE["shared"])).after
