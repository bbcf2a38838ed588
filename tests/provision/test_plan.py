"""A plan is a pure comparison: what it says of an empty cloud, and of clouds that cannot do what is declared."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from provision.declaring.reading import parse
from provision.node import Node, attributes_of
from provision.planning.found import Found
from provision.planning.plan import Plan, plan
from provision.planning.view import View
from provision.pools import POOLS, Pools, elements

TEXT = (Path(__file__).parents[2] / "docs" / "examples" / "community.yaml").read_text()

USER = "<USER><ID>0</ID><GID>0</GID><NAME>oneadmin</NAME><TEMPLATE/></USER>"
CONFIG = (
    "<OPENNEBULA_CONFIGURATION><ONEGATE_ENDPOINT>http://front-end:5030</ONEGATE_ENDPOINT></OPENNEBULA_CONFIGURATION>"
)
NEW_CLOUD = {
    "cluster": "<CLUSTER><ID>0</ID><NAME>default</NAME></CLUSTER>",
    "datastore": "".join(
        f"<DATASTORE><ID>{n}</ID><NAME>{name}</NAME></DATASTORE>" for n, name in enumerate(("system", "default"))
    ),
    "vdc": "<VDC><ID>0</ID><NAME>default</NAME><GROUPS/></VDC>",
    "group": "<GROUP><ID>0</ID><NAME>oneadmin</NAME><TEMPLATE/></GROUP>",
}


def node(xml: str) -> Node:
    return Node(ET.fromstring(xml))


def pools(version: str = "7.4.0", config: str = CONFIG, **more: str) -> Pools:
    xml = {pool: NEW_CLOUD.get(pool, "") + more.get(pool, "") for pool in POOLS}
    nodes = {pool: elements(node(f"<POOL>{text}</POOL>"), POOLS[pool][2]) for pool, text in xml.items()}
    return Pools(version, attributes_of(ET.fromstring(config)), node(USER), nodes, {})


def planned(text: str = TEXT, version: str = "7.4.0", config: str = CONFIG, **more: str) -> Plan:
    return plan(parse(text), Found(View(pools(version, config, **more), "kongu")))


def test_from_nothing_everything_is_made_in_an_order_that_works() -> None:
    the_plan = planned()
    assert {step.action for step in the_plan} == {"create"}
    assert len(the_plan) == 4 + 3 * 10
    place = {step.id: index for index, step in enumerate(the_plan)}
    assert all(place[other] < place[step.id] for step in the_plan for other in step.after if other in place)
    kinds = [step.kind for step in the_plan if step.key == "erode"]
    for first, then in [
        ("group", "vdc"),
        ("group", "rights"),
        ("security-group", "network"),
        ("outbox-folder", "outbox"),
        ("network", "template"),
        ("template", "appliance"),
    ]:
        assert kinds.index(first) < kinds.index(then)
    assert not the_plan.obstacles
    assert not the_plan.conditions
    assert not the_plan.losses


def test_a_plan_is_the_same_each_time() -> None:
    assert planned().to_json() == planned().to_json()
    assert planned().within(planned())
    assert not planned().within(planned(TEXT[: TEXT.index("  karur:")]))


def test_settings_wait_for_enrolment_and_are_no_drift() -> None:
    assert not [step for step in planned() if step.kind in {"settings", "directory"}]


def test_without_onegate_there_is_no_token_and_a_word_about_it() -> None:
    the_plan = planned(config="<OPENNEBULA_CONFIGURATION/>")
    assert {step.declared.spec.token for step in the_plan if step.kind == "template"} == {False}
    assert any("asks them over SSH" in words for words in the_plan.conditions)


SECRET_OWNER = "<UID>0</UID><GID>0</GID><TEMPLATE/>"
OBSTACLES = {
    "an unknown cluster": ({"text": TEXT.replace("cluster: default", "cluster: gpu")}, "there is no cluster 'gpu'"),
    "an unknown datastore": ({"text": TEXT.replace("images: default", "images: ceph")}, "there is no datastore 'ceph'"),
    "a cloud before virtiofs": ({"version": "6.10.2"}, "virtiofs needs 7.2"),
    "a group in the way": (
        {"group": "<GROUP><ID>105</ID><NAME>kongu.erode</NAME><TEMPLATE/></GROUP>"},
        "group kongu.erode exists (id 105) and is not Gurney's",
    ),
    "a network in the way": (
        {"vn": f"<VNET><ID>7</ID><NAME>kongu.erode</NAME>{SECRET_OWNER}</VNET>"},
        "network kongu.erode exists (id 7) and is not Gurney's",
    ),
}


@pytest.mark.parametrize("case", OBSTACLES)
def test_what_cannot_be_done_is_told_before_anything_is_changed(case: str) -> None:
    arguments, words = OBSTACLES[case]
    assert any(words in each for each in planned(**arguments).obstacles)


def test_another_owners_network_of_the_same_name_is_not_in_the_way() -> None:
    theirs = "<VNET><ID>7</ID><NAME>kongu.erode</NAME><UID>5</UID><GID>1</GID><TEMPLATE/></VNET>"
    assert not planned(vn=theirs).obstacles


MARK = (
    "<TEMPLATE><GURNEY_COMMUNITY>kongu</GURNEY_COMMUNITY><GURNEY_KIND>{kind}</GURNEY_KIND>"
    "<GURNEY_KEY>{key}</GURNEY_KEY></TEMPLATE>"
)


def test_a_mark_on_another_owners_object_is_not_believed() -> None:
    forged = f"<VNET><ID>7</ID><NAME>x</NAME><UNAME>eve</UNAME><UID>5</UID><GID>1</GID>{MARK}</VNET>"
    the_plan = planned(vn=forged.format(kind="network", key="erode"))
    assert [step.action for step in the_plan if step.kind == "network" and step.key == "erode"] == ["create"]
    assert any("eve" in words and "bears our mark" in words for words in the_plan.foreign)


def test_a_mark_on_a_group_of_another_name_is_not_believed() -> None:
    """A group's admin can write the group's attributes, but not its name."""
    forged = f"<GROUP><ID>105</ID><NAME>evil</NAME>{MARK}</GROUP>".format(kind="group", key="erode")
    the_plan = planned(group=forged)
    assert [step.action for step in the_plan if step.kind == "group" and step.key == "erode"] == ["create"]


def test_a_vm_is_not_believed_by_what_its_guest_can_write() -> None:
    """A guest writes its VM's attributes through OneGate, a group's admin its context."""
    forged = (
        "<VM><ID>3</ID><NAME>kongu.erode</NAME><UID>0</UID><GID>0</GID><STATE>3</STATE><LCM_STATE>3</LCM_STATE>"
        "<TEMPLATE><TEMPLATE_ID>99</TEMPLATE_ID><CONTEXT><GURNEY_BRANCH>erode</GURNEY_BRANCH></CONTEXT></TEMPLATE>"
        "<USER_TEMPLATE><GURNEY_COMMUNITY>kongu</GURNEY_COMMUNITY><GURNEY_KIND>appliance</GURNEY_KIND>"
        "<GURNEY_KEY>erode</GURNEY_KEY></USER_TEMPLATE></VM>"
    )
    the_plan = planned(vm=forged)
    assert [step.action for step in the_plan if step.kind == "appliance" and step.key == "erode"] == ["create"]
