"""A branch's addresses reserved from a network of the cloud's owner, which says VLAN and bridge."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.declaring.reading import parse
from provision.errors import Blocked, DeclarationError
from provision.kinds.network import held_in
from tests.provision.reserving import OWN, RESERVED, hospitals

if TYPE_CHECKING:
    from provision.node import Node
    from tests.provision.conftest import Office


@pytest.fixture
def reserved_text(example_text: str) -> str:
    return example_text.replace(OWN, RESERVED)


def network(office: Office) -> Node:
    return dict(office.found().view.ours("network"))["erode"]


def ranges(node: Node) -> list[tuple[str, str]]:
    return sorted((each.text("IP"), each.text("SIZE")) for each in node.children("AR_POOL/AR"))


def test_a_branch_s_addresses_are_reserved(office: Office, reserved_text: str) -> None:
    parent = hospitals(office)
    office = replace(office, community=parse(reserved_text))
    assert not office.apply().after
    office.until_running()
    node = network(office)
    assert node.number("PARENT_NETWORK_ID") == parent
    assert (node.text("VLAN_ID"), node.text("PHYDEV"), node.name) == ("777", "eth7", "kongu.erode")
    # 10.20.1.50 to 52 are scanners'; the appliance's own address stands last
    assert ranges(node) == [("10.20.1.10", "1"), ("10.20.1.40", "10"), ("10.20.1.53", "8")]
    assert office.plan().to_json() == []
    card = office.found().view.appliances["erode"].text("TEMPLATE/NIC/IP")
    assert card == "10.20.1.10"


def test_a_reservation_grows_and_holds_in_place(office: Office, reserved_text: str) -> None:
    hospitals(office)
    office.apply(reserved_text)
    before = network(office).id
    wider = reserved_text.replace("40-10.20.1.60]", "40-10.20.1.70]")
    (step,) = office.plan(wider)
    assert [change.field for change in step.changes] == ["addresses"]
    assert not office.apply(wider).after
    assert ("10.20.1.61", "10") in ranges(network(office))
    assert not office.apply(reserved_text).after
    assert len(held_in(network(office))) == 10
    assert network(office).id == before


def test_what_cannot_be_reserved_is_told_before_anything_is_changed(office: Office, reserved_text: str) -> None:
    with pytest.raises(Blocked, match="there is no parent network 'hospitals' in this cloud"):
        office.apply(reserved_text)
    parent = hospitals(office)
    office.raw("vn.hold", parent, 'LEASES=[IP="10.20.1.44"]')
    with pytest.raises(Blocked, match=r"kongu\.erode: 10\.20\.1\.44 cannot be reserved from hospitals"):
        office.apply(reserved_text)
    beyond = reserved_text.replace("40-10.20.1.60]", "190-10.20.1.220]")
    with pytest.raises(Blocked, match=r"kongu\.erode: 10\.20\.1\.202 cannot be reserved from hospitals"):
        office.apply(beyond)
    assert not office.found().view.groups


def test_a_network_that_becomes_a_reservation_is_made_anew(
    office: Office, example_text: str, reserved_text: str
) -> None:
    hospitals(office)
    office.apply(example_text)
    office.until_running()
    the_plan = office.plan(reserved_text)
    assert not the_plan.losses
    assert {step.key for step in the_plan} == {"erode"}
    assert not office.apply(reserved_text).after
    assert not office.apply(example_text).after


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("reserve_from: hospitals,", "reserve_from: hospitals, vlan: 5,", "hospitals says this: leave it out"),
        ("vlan: 102,", "reserve_from: hospitals,", "erode is on hospitals already: both would share a wire"),
    ],
)
def test_a_reservation_has_its_parent_s_wire_alone(reserved_text: str, old: str, new: str, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        parse(reserved_text.replace(old, new))
