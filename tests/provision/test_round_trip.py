"""What is handed to OpenNebula is read back unchanged, through real sockets and pyone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from provision.declaring.reading import parse
from provision.node import attributes_of
from provision.planning.marks import Mark
from templates.rendering import NotCarriedError, render

if TYPE_CHECKING:
    from tests.provision.conftest import Office

NASTY = [*"\"\\[]=,#'\n&<> ☃", "\\\\", "]]", "$NAME", "%i", "ünï", "日本", "]]>"]
VALUES = st.text(max_size=30) | st.lists(st.sampled_from(NASTY), max_size=6).map("".join)

QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(community=VALUES, key=VALUES)
@example(community='say "hi"', key="C:\\dir [a,b] = 1 # no comment")
@example(community="two\nlines", key="a & b < c > d")
@QUIET
def test_any_value_arrives_as_it_is_or_is_refused(office: Office, community: str, key: str) -> None:
    try:
        text = render("mark", mark=Mark(community, "test", key))
    except NotCarriedError:
        return
    number = office.raw("document.allocate", text, 100)
    told = attributes_of(office.desk.cloud.read("document.info", number).element.find("TEMPLATE"))
    office.raw("document.delete", number)
    assert (told["GURNEY_COMMUNITY"], told["GURNEY_KEY"]) == (community, key)


TITLES = ("Women's & Children's \"Hope\" Hospital", "மருத்துவமனை [ஈரோடு]", "a \\ b = c, d # e", "x ]] > y")


@pytest.mark.parametrize("title", TITLES)
def test_a_title_with_any_sign_is_no_obstacle(office: Office, example_text: str, title: str) -> None:
    quoted = title.replace("'", "''")
    text = example_text.replace("title: Erode Town Hospital", f"title: '{quoted}'")
    assert parse(text).branches["erode"].title == title
    assert not office.apply(text).after


DRIVERS = {
    "vxlan": ("{driver: 802.1Q, physical_device: eth1}", "{driver: vxlan, physical_device: eth1}", "101"),
    "bridge": ("{driver: 802.1Q, physical_device: eth1}", "{driver: bridge}", ""),
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_other_network_drivers_rest_too(office: Office, example_text: str, driver: str) -> None:
    old, new, vlan = DRIVERS[driver]
    text = example_text.replace(old, new)
    for number in (101, 102, 103) if driver == "bridge" else ():
        text = text.replace(f"vlan: {number}", f"bridge: br{number}")
    office = replace(office, community=parse(text))
    assert not office.apply().after
    network = dict(office.found().view.ours("network"))["erode"]
    assert (network.text("VN_MAD"), network.text("VLAN_ID")) == (driver, vlan)


def test_a_network_that_gets_another_driver_is_made_anew_with_what_stands_upon_it(
    office: Office, example_text: str
) -> None:
    office.apply()
    text = example_text.replace("driver: 802.1Q", "driver: vxlan")
    the_plan = office.plan(text)
    kinds = {(step.action, step.kind) for step in the_plan}
    assert kinds == {
        ("delete", "network"),
        ("create", "network"),
        ("update", "template"),
        ("delete", "appliance"),
        ("create", "appliance"),
    }
    assert not the_plan.losses
    assert not office.apply(text).after
