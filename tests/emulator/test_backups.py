"""Backups hold what was on the disks: it comes back into the machine, or into images and a template of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyone
import pytest

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emulator.cloud import Cloud

READY, RUNNING, POWEROFF = 1, 3, 8


class Scene:
    """A machine with a persistent archive, and a datastore for its backups."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.one: Any = pyone.OneServer(cloud.endpoint, session=cloud.session)
        one = self.one
        until(lambda: one.hostpool.info().HOST[0].STATE == 2 and one.datastore.info(1).FREE_MB > 0)
        self.image = one.image.allocate('NAME="archive"\nTYPE="DATABLOCK"\nSIZE="10"\nPERSISTENT="YES"', 1)
        until(lambda: one.image.info(self.image).STATE == READY)
        net = one.vn.allocate('NAME="n"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="9"]', 0)
        self.vm = one.vm.allocate(
            f'NAME="m"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="{self.image}"]\nNIC=[NETWORK_ID="{net}"]\nNOTE="kept"'
        )
        until(lambda: one.vm.info(self.vm).LCM_STATE == RUNNING)
        self.store = one.datastore.allocate(
            'NAME="b"\nTYPE="BACKUP_DS"\nDS_MAD="rsync"\nTM_MAD="-"\nRSYNC_HOST="h"\nRSYNC_USER="u"'
        )
        (self.archive / "study").write_text("first")

    @property
    def archive(self) -> Path:
        return self.folder(self.image)

    def folder(self, image: int, datastore: int = 1) -> Path:
        return self.cloud.settings.state / "datastores" / str(datastore) / str(image)

    def backup(self) -> int:
        """The image that a new backup is."""
        self.one.vm.backup(self.vm, self.store, False)
        until(lambda: self.one.vm.info(self.vm).LCM_STATE == RUNNING and self.backups())
        return self.backups()[-1]

    def backups(self) -> list[int]:
        return list(self.one.vm.info(self.vm).BACKUPS.BACKUP_IDS.ID)


@pytest.fixture
def scene(make_cloud: Callable[..., Cloud]) -> Scene:
    return Scene(make_cloud())


def test_archive_comes_back(scene: Scene) -> None:
    """A lost archive is as it was at the backup; what came after is gone, as is a file that was not there."""
    one = scene.one
    backup = scene.backup()
    (scene.archive / "study").write_text("second")
    (scene.archive / "later").write_text("later")
    with pytest.raises(pyone.OneActionException, match="it must be in poweroff"):
        one.vm.restore(scene.vm, backup, -1, -1)
    one.vm.action("poweroff", scene.vm)
    until(lambda: one.vm.info(scene.vm).STATE == POWEROFF)
    one.vm.restore(scene.vm, backup, -1, -1)
    until(lambda: one.vm.info(scene.vm).STATE == POWEROFF)
    assert [path.name for path in scene.archive.iterdir()] == ["study"]
    assert (scene.archive / "study").read_text() == "first"
    one.vm.action("resume", scene.vm)
    until(lambda: one.vm.info(scene.vm).LCM_STATE == RUNNING)


def test_images_and_template_from_a_backup(scene: Scene) -> None:
    """The restored template makes a machine with the archive of that time, in its network, at another address."""
    one = scene.one
    backup = scene.backup()
    template, image = map(int, one.image.restore(backup, 1, 'NO_IP="YES"').split())
    until(lambda: one.image.info(image).STATE == READY)
    assert (f"{scene.vm}-{backup}-disk-0", 10) == (one.image.info(image).NAME, one.image.info(image).SIZE)
    assert (scene.folder(image) / "study").read_text() == "first"
    made = one.template.info(template).TEMPLATE
    assert made["NOTE"] == "kept"
    assert set(made["NIC"]) == {"NETWORK", "SECURITY_GROUPS"}
    vm = one.template.instantiate(template, "again", False, "", False)
    until(lambda: one.vm.info(vm).LCM_STATE == RUNNING)
    assert one.vm.info(vm).TEMPLATE["NIC"]["IP"] == "10.0.0.2"
    only = one.image.restore(backup, 1, 'DISK_ID="0"\nNAME="one"')
    assert one.image.info(int(only)).NAME == "one-disk-0"


def test_backup_goes_with_its_content(scene: Scene) -> None:
    """A deleted backup leaves nothing on the disk."""
    backup = scene.backup()
    place = scene.folder(backup, scene.store)
    assert (place / "disk.0" / "study").read_text() == "first"
    scene.one.image.delete(backup, True)
    until(lambda: not place.exists())
