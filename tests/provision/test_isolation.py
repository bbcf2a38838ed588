"""What the people of one branch can do in OpenNebula itself with the things of another: nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyone
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.kinds.vdc import Vdc
    from tests.provision.conftest import Office

OTHERS = ("salem", "karur")
GUEST = 'NAME="guest"\nCPU="0.1"\nMEMORY="64"\n'


@dataclass(frozen=True)
class Eve:
    """A user of erode's group, with pyone alone, and the ids of what each branch has."""

    one: Any
    ids: dict[tuple[str, str], int]

    def card(self, branch: str) -> str:
        """A network card in a branch's network."""
        return f'NIC=[NETWORK_ID="{self.ids["network", branch]}"]'


@pytest.fixture
def applied(office: Office) -> Office:
    office.apply()
    return office


@pytest.fixture(params=["user", "admin of the group"])
def eve(applied: Office, request: pytest.FixtureRequest) -> Eve:
    found = applied.found()
    ids = {(ref.kind, ref.key): each.id for ref, each in found.resources.items()}
    number = applied.raw("user.allocate", "eve", "secret", "core", [ids["group", "erode"]])
    if request.param != "user":
        applied.raw("group.addadmin", ids["group", "erode"], number)
    return Eve(pyone.OneServer(applied.embedded.endpoint, session="eve:secret"), ids)


def test_a_user_may_use_the_own_branch_s_network(eve: Eve) -> None:
    number = eve.one.vm.allocate(GUEST + eve.card("erode"), True)
    assert eve.one.vm.info(number).TEMPLATE["NIC"]["NETWORK"] == "kongu.erode"
    eve.one.vm.action("terminate-hard", number)
    template = eve.one.template.allocate(GUEST + eve.card("erode"))
    assert eve.one.template.instantiate(template, "again", True, "", False) > number


@pytest.mark.parametrize("other", OTHERS)
def test_a_user_cannot_use_another_branch_s_things(eve: Eve, other: str) -> None:
    own = eve.one.vm.allocate(GUEST, True)
    theirs = {kind: eve.ids[kind, other] for kind in ("network", "archive", "outbox", "template", "appliance")}
    guarded: dict[str, Callable[[], Any]] = {
        "a VM in their network": lambda: eve.one.vm.allocate(GUEST + eve.card(other), True),
        "a card in their network": lambda: eve.one.vm.attachnic(own, eve.card(other)),
        "a template of their network": lambda: eve.one.template.instantiate(
            eve.one.template.allocate(f'NAME="{other}"\n{GUEST}{eve.card(other)}'), "", True, "", False
        ),
        "a reservation in their network": lambda: eve.one.vn.reserve(theirs["network"], 'SIZE="1"\nNAME="mine"'),
        "their network": lambda: eve.one.vn.info(theirs["network"]),
        "a VM of their archive": lambda: eve.one.vm.allocate(f'{GUEST}DISK=[IMAGE_ID="{theirs["archive"]}"]', True),
        "a VM of their outbox": lambda: eve.one.vm.allocate(f'{GUEST}DISK=[IMAGE_ID="{theirs["outbox"]}"]', True),
        "a copy of their archive": lambda: eve.one.image.clone(theirs["archive"], "mine", -1),
        "their archive": lambda: eve.one.image.info(theirs["archive"]),
        "their template": lambda: eve.one.template.instantiate(theirs["template"], "", True, "", False),
        "their VM": lambda: eve.one.vm.info(theirs["appliance"]),
        "their VM's power": lambda: eve.one.vm.action("poweroff-hard", theirs["appliance"]),
        "a card for their VM": lambda: eve.one.vm.attachnic(theirs["appliance"], eve.card("erode")),
        "a disk of their VM": lambda: eve.one.vm.disksaveas(theirs["appliance"], 1, "mine", "", -1),
    }
    for what, attempt in guarded.items():
        with pytest.raises(pyone.OneAuthorizationException) as refused:
            print(what, attempt())
        assert "Not authorized to perform" in str(refused.value), what


def test_nobody_makes_an_outbox_of_another_s_folder(eve: Eve) -> None:
    """With USE on the exchange's datastore a user could have any folder of the exchange, to write in."""
    text = 'NAME="mine"\nTYPE="FILESYSTEM"\nPATH="/srv/exchange/out/karur"\nPERSISTENT="YES"'
    with pytest.raises(pyone.OneAuthorizationException):
        eve.one.image.allocate(text, eve.ids["exchange", ""])


def test_a_user_sees_only_the_own_branch_s_things(eve: Eve) -> None:
    assert [network.NAME for network in eve.one.vnpool.info(-2, -1, -1).VNET] == ["kongu.erode"]
    seen = [*eve.one.imagepool.info(-2, -1, -1).IMAGE, *eve.one.vmpool.info(-2, -1, -1, -1).VM]
    assert all(each.NAME.startswith("kongu.erode") for each in seen), "the group's admin sees its archive and VM"


def vdc_of(office: Office) -> tuple[int, Vdc]:
    each = next(each for ref, each in office.found().resources.items() if (ref.kind, ref.key) == ("vdc", "erode"))
    return each.id, each.spec


def test_the_rules_are_those_of_hosts_and_datastores(applied: Office) -> None:
    group = applied.found().view.groups["erode"].id
    rules = [node.text("STRING") for node in applied.found().pools.nodes["acl"]]
    assert {rule.removeprefix(f"@{group} ") for rule in rules if rule.startswith(f"@{group} ")} == {
        "VM+IMAGE+TEMPLATE/* CREATE #0",
        "HOST/#0 MANAGE #0",
        "DATASTORE/#0 USE #0",
        "DATASTORE/#1 USE #0",
    }


DRIFTS: dict[str, tuple[Callable[[Office, int], Any], list[str]]] = {
    "as an earlier version made it": (
        lambda office, vdc: (
            office.raw("vdc.addcluster", vdc, 0, 0),
            office.raw("vdc.delhost", vdc, 0, 0),
            office.raw("vdc.deldatastore", vdc, 0, 0),
            office.raw("vdc.deldatastore", vdc, 0, 1),
        ),
        ["datastores", "hosts", "clusters"],
    ),
    "a network": (lambda office, vdc: office.raw("vdc.addvnet", vdc, 0, -10), ["networks"]),
    "every datastore": (lambda office, vdc: office.raw("vdc.adddatastore", vdc, 0, -10), ["datastores"]),
    "every host": (lambda office, vdc: office.raw("vdc.addhost", vdc, 0, -10), ["hosts"]),
    "the exchange": (
        lambda office, vdc: office.raw("vdc.adddatastore", vdc, 0, dict(office.found().view.ours("exchange"))[""].id),
        ["datastores"],
    ),
    "too little": (lambda office, vdc: office.raw("vdc.delhost", vdc, 0, 0), ["hosts"]),
}


@pytest.mark.parametrize("case", DRIFTS)
def test_what_a_vdc_holds_is_set_right_where_it_stands(applied: Office, case: str) -> None:
    drift, fields = DRIFTS[case]
    number, before = vdc_of(applied)
    drift(applied, number)
    (step,) = applied.plan()
    assert (step.action, step.kind, step.key) == ("update", "vdc", "erode")
    assert [change.field for change in step.changes] == fields
    assert not applied.apply().after
    assert vdc_of(applied) == (number, before)


def test_a_new_host_is_an_update_of_every_vdc(applied: Office) -> None:
    number = applied.raw("host.allocate", "host-9", "kvm", "kvm", 0)
    steps = [(step.action, step.kind, step.key, [change.field for change in step.changes]) for step in applied.plan()]
    assert sorted(steps) == [("update", "vdc", key, ["hosts"]) for key in ("erode", "karur", "salem")]
    assert applied.apply().steps == 3
    assert {ref.key for ref in vdc_of(applied)[1].hosts} >= {"host-9"}
    applied.raw("host.delete", number)
    assert not applied.apply().after
    assert "host-9" not in {ref.key for ref in vdc_of(applied)[1].hosts}
