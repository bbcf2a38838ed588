"""The appliances' OS image from a marketplace of the cloud, or from an address."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.applying.apply import apply
from provision.declaring.reading import parse
from provision.errors import Blocked, NotFinished
from tests.waiting import until

if TYPE_CHECKING:
    from provision.planning.found import Found
    from provision.planning.plan import Plan
    from tests.provision.conftest import Office

PATH = "image: {path: /var/tmp/gurney-appliance.qcow2}"


@pytest.fixture
def from_market(example_text: str) -> str:
    return example_text.replace(PATH, "image: {marketplace: Gurney 1.0}")


def offer(office: Office, name: str = "Gurney 1.0", kind: str = "IMAGE") -> int:
    """Put an image into a marketplace of the cloud's own; the app's number."""
    (office.folder / "state/host/var/market").mkdir(exist_ok=True)
    markets = {node.name: node.id for node in office.desk.cloud.read("marketpool.info").children("MARKETPLACE")}
    if "own" not in markets:
        text = 'NAME="own"\nMARKET_MAD="http"\nBASE_URL="http://market.kongu/apps"\nPUBLIC_DIR="/var/market"'
        markets["own"] = office.raw("market.allocate", text)
        until(lambda: office.desk.cloud.read("datastore.info", 1, False).number("FREE_MB") > 0, "a measured datastore")
        image = 'NAME="original"\nTYPE="OS"\nPATH="/var/tmp/gurney-appliance.qcow2"'
        ready(office, "image", office.raw("image.allocate", image, 1))
    origin = next(node.id for node in office.found().pools.nodes["image"] if node.name == "original")
    text = f'NAME="{name}"\nORIGIN_ID="{origin}"\nTYPE="{kind}"'
    return ready(office, "marketapp", office.raw("marketapp.allocate", text, markets["own"]))


def ready(office: Office, api: str, number: int) -> int:
    """Wait until an image or an app is READY, which both count as 1."""
    until(lambda: office.desk.cloud.read(f"{api}.info", number, False).number("STATE") == 1, f"{api} {number}")
    return number


def test_an_image_is_imported_from_a_marketplace(office: Office, from_market: str) -> None:
    number = offer(office)
    office = replace(office, community=parse(from_market))
    assert not office.apply().after
    office.until_running()
    (image,) = dict(office.found().view.ours("appliance-image")).values()
    assert (image.text("TEMPLATE/FROM_APP"), image.text("TEMPLATE/FROM_APP_NAME")) == (str(number), "Gurney 1.0")
    assert office.plan().to_json() == []


def test_another_appliance_of_the_marketplace_is_another_image(office: Office, from_market: str) -> None:
    offer(office)
    offer(office, "Gurney 1.1")
    office.apply(from_market)
    office.until_running()
    newer = from_market.replace("Gurney 1.0", "Gurney 1.1")
    the_plan = office.plan(newer)
    assert not the_plan.losses
    assert not office.apply(newer).after
    assert len(dict(office.found().view.ours("appliance-image"))) == 1


def test_what_a_marketplace_does_not_offer_is_told_before_anything_is_changed(office: Office, from_market: str) -> None:
    with pytest.raises(Blocked, match=r"no marketplace of this cloud offers 'Gurney 1\.0' \(onemarketapp list\)"):
        office.apply(from_market)
    offer(office)
    offer(office, "A template", "VMTEMPLATE")
    with pytest.raises(Blocked, match="'A template' in marketplace own is no image"):
        office.apply(from_market.replace("Gurney 1.0", "A template"))
    assert not office.found().view.groups


@pytest.mark.parametrize("others", [0, 2])
def test_an_appliance_that_changes_between_plan_and_create_is_an_error(
    office: Office, from_market: str, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """None is left, or a second one of the name came: neither is taken in silence."""
    number = offer(office)
    the_plan = office.plan(from_market)
    again = type(the_plan).again

    def meanwhile(plan: Plan, found: Found) -> Plan:
        fresh = again(plan, found)
        monkeypatch.undo()
        if others:
            office.raw("marketapp.chown", number, office.raw("user.allocate", "somebody", "secret", "core", []), -1)
            offer(office)
        else:
            office.raw("marketapp.delete", number)
        return fresh

    monkeypatch.setattr(type(the_plan), "again", meanwhile)
    with pytest.raises(NotFinished, match=rf"{others} appliances of marketplaces"):
        apply(office.desk, the_plan)


def test_marketplaces_are_asked_only_when_an_image_is_to_be_imported(office: Office, from_market: str) -> None:
    offer(office)
    office.apply(from_market)
    office.desk.cloud.calls.clear()
    assert not office.plan(from_market)
    assert "marketapppool.info" not in office.desk.cloud.calls


def test_an_image_is_fetched_from_an_address(office: Office, example_text: str) -> None:
    text = example_text.replace(PATH, "image: {url: 'http://files.kongu/gurney.qcow2'}")
    assert not office.apply(text).after
    (image,) = dict(office.found().view.ours("appliance-image")).values()
    assert image.text("PATH") == "http://files.kongu/gurney.qcow2"
