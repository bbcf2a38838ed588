"""Marketplaces: an image is offered in one, and images are made from what is offered."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pyone
import pytest
from pyone.helpers import marketapp_export

from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from emulator.cloud import Cloud

MIB = 1 << 20
READY, LOCKED, ERROR = 1, 4, 5
APP_READY, APP_ERROR = 1, 3


def client(cloud: Cloud) -> Any:
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    until(lambda: one.datastore.info(1).FREE_MB > 0)
    return one


@pytest.fixture
def public(make_cloud: Callable[..., Cloud], tmp_path: Path) -> Cloud:
    """A cloud whose public marketplace offers two files of a folder."""
    folder = tmp_path / "market"
    folder.mkdir()
    (folder / "debian-12.qcow2").write_bytes(b"QFI\xfb" + bytes(20) + (3 * MIB).to_bytes(8, "big") + b"system")
    (folder / "alpine.raw").write_bytes(bytes(2 * MIB + 1))
    (folder / "notes.txt").write_text("not offered")
    return make_cloud(market=folder)


def test_public_market_offers_a_folder(public: Cloud) -> None:
    """Each image file is an appliance that everybody may use."""
    one = client(public)
    one.user.allocate("ida", "a long password", "core", [1])
    ida = pyone.OneServer(public.endpoint, session="ida:a long password")
    apps = {app.NAME: app for app in ida.marketapppool.info(-2, -1, -1).MARKETPLACEAPP}
    assert set(apps) == {"debian-12", "alpine"}
    assert {app.STATE for app in apps.values()} == {APP_READY}
    assert [apps[name].FORMAT for name in ("debian-12", "alpine")] == ["qcow2", "raw"]
    assert [apps[name].SIZE for name in ("debian-12", "alpine")] == [3, 3]
    assert {app.MARKETPLACE for app in apps.values()} == {"OpenNebula Public"}
    assert set(one.market.info(0).MARKETPLACEAPPS.ID) == {app.ID for app in apps.values()}


def test_app_is_exported_into_a_datastore(public: Cloud, tmp_path: Path) -> None:
    """pyone's own export makes an image with the appliance's content and the machine's template that goes with it."""
    one = client(public)
    app = next(app for app in one.marketapppool.info(-2, -1, -1).MARKETPLACEAPP if app.NAME == "debian-12")
    made = marketapp_export(one, app.ID, dsid=1, name="base", vmtemplate_name="base machine")
    until(lambda: one.image.info(made["image"]).STATE == READY)
    image = one.image.info(made["image"])
    assert (image.NAME, image.FORMAT, image.SIZE, image.PATH) == ("base", "qcow2", 3, app.SOURCE)
    assert image.TEMPLATE["FROM_APP_NAME"] == "debian-12"
    assert image.TEMPLATE["FROM_APP_MD5"] == app.MD5
    content = public.settings.state / "datastores" / "1" / str(made["image"]) / "disk"
    assert content.read_bytes() == (tmp_path / "market" / "debian-12.qcow2").read_bytes()
    assert one.template.info(made["vmtemplate"]).TEMPLATE["DISK"]["IMAGE_ID"] == str(made["image"])


def test_what_is_offered_follows_the_folder(public: Cloud, make_cloud: Callable[..., Cloud], tmp_path: Path) -> None:
    """At the next start what is gone is offered no more, and what stayed has its id still."""
    before = {app.NAME: app.ID for app in client(public).marketapppool.info(-2, -1, -1).MARKETPLACEAPP}
    public.stop()
    (tmp_path / "market" / "alpine.raw").unlink()
    (tmp_path / "market" / "new.img").write_bytes(bytes(MIB))
    one = client(make_cloud(market=tmp_path / "market"))
    after = {app.NAME: app.ID for app in one.marketapppool.info(-2, -1, -1).MARKETPLACEAPP}
    assert set(after) == {"debian-12", "new"}
    assert after["debian-12"] == before["debian-12"]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [(lambda path: path.unlink(), "Error copying https://"), (lambda path: path.write_bytes(b"x"), "Hash does not")],
    ids=["gone", "changed"],
)
def test_content_that_cannot_be_had(public: Cloud, tmp_path: Path, spoil: Callable[[Path], Any], words: str) -> None:
    """An appliance whose content is gone, or another, ends in an image in ERROR that says so."""
    one = client(public)
    app = next(app for app in one.marketapppool.info(-2, -1, -1).MARKETPLACEAPP if app.NAME == "alpine")
    spoil(tmp_path / "market" / "alpine.raw")
    image = one.image.allocate(f'NAME="a"\nTYPE="OS"\nFROM_APP="{app.ID}"', 1)
    until(lambda: one.image.info(image).STATE == ERROR)
    assert words in one.image.info(image).TEMPLATE["ERROR"]


def test_no_such_app(public: Cloud) -> None:
    """OpenNebula's words."""
    with pytest.raises(pyone.OneInternalException, match="Cannot determine image SIZE"):
        client(public).image.allocate('NAME="a"\nTYPE="OS"\nFROM_APP="99"', 1)


def test_own_market(make_cloud: Callable[..., Cloud]) -> None:
    """An image goes into a marketplace of one's own and out again as another image; its app leaves nothing behind."""
    cloud = make_cloud()
    one = client(cloud)
    host = cloud.settings.state / "host"
    (host / "var" / "tmp").mkdir(parents=True)
    (host / "srv" / "market").mkdir(parents=True)
    (host / "var" / "tmp" / "os.raw").write_bytes(b"the system" + bytes(MIB))
    image = one.image.allocate('NAME="os"\nTYPE="OS"\nPATH="/var/tmp/os.raw"', 1)
    until(lambda: one.image.info(image).STATE == READY)
    market = one.market.allocate('NAME="ours"\nMARKET_MAD="http"\nBASE_URL="http://ours/"\nPUBLIC_DIR="/srv/market"')
    app = one.marketapp.allocate(f'NAME="os app"\nORIGIN_ID="{image}"\nTYPE="IMAGE"', market)
    until(lambda: one.marketapp.info(app).STATE == APP_READY)
    found = one.marketapp.info(app)
    files = list((host / "srv" / "market").iterdir())
    assert [f"http://ours/{path.name}" for path in files] == [found.SOURCE]
    assert hashlib.md5(b"the system" + bytes(MIB)).hexdigest() == found.MD5
    copy = one.image.allocate(f'NAME="again"\nTYPE="OS"\nFROM_APP="{app}"', 1)
    until(lambda: one.image.info(copy).STATE == READY)
    assert (cloud.settings.state / "datastores" / "1" / str(copy) / "disk").read_bytes().startswith(b"the system")
    one.marketapp.delete(app)
    assert list((host / "srv" / "market").iterdir()) == []
    one.market.delete(market)


def test_market_that_cannot_be_written(make_cloud: Callable[..., Cloud]) -> None:
    """Where PUBLIC_DIR is not there the appliance ends in ERROR."""
    cloud = make_cloud()
    one = client(cloud)
    image = one.image.allocate('NAME="d"\nTYPE="DATABLOCK"\nSIZE="1"', 1)
    market = one.market.allocate('NAME="ours"\nMARKET_MAD="http"\nBASE_URL="http://ours/"\nPUBLIC_DIR="/srv/none"')
    app = one.marketapp.allocate(f'NAME="app"\nORIGIN_ID="{image}"\nTYPE="IMAGE"', market)
    until(lambda: one.marketapp.info(app).STATE == APP_ERROR)
    assert "Error copying" in one.marketapp.info(app).TEMPLATE["ERROR"]


def test_quota_and_space_hold_for_apps(public: Cloud) -> None:
    """An appliance counts with its size as any image does."""
    one = client(public)
    group = one.group.allocate("branch")
    one.acl.addrule(f"0x{(1 << 33) | group:x}", f"0x{(1 << 39) | (1 << 34):x}", "0x8")
    one.user.allocate("ida", "a long password", "core", [group])
    ida = pyone.OneServer(public.endpoint, session="ida:a long password")
    one.group.quota(group, 'DATASTORE=[ID="1",IMAGES="-2",SIZE="2"]')
    app = next(app for app in ida.marketapppool.info(-2, -1, -1).MARKETPLACEAPP if app.NAME == "alpine")
    with pytest.raises(pyone.OneAuthorizationException, match="limit of 2 reached for SIZE"):
        ida.image.allocate(f'NAME="a"\nTYPE="OS"\nFROM_APP="{app.ID}"', 1)
    with pytest.raises(pyone.OneAuthorizationException, match="restricted attribute SOURCE"):
        ida.image.allocate('NAME="a"\nTYPE="OS"\nSOURCE="/etc/shadow"\nFORMAT="raw"\nSIZE="1"', 1)
