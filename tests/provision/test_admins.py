"""Two admins, forged marks, and a cloud that does not do what it accepts."""

from __future__ import annotations

import os
import re
import socket
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.applying.apply import apply
from provision.applying.holder import this_process
from provision.applying.holding import holding
from provision.declaring.reading import parse
from provision.errors import Busy, CloudError, NotFinished, ProvisionError
from tests.provision.mortal import announced

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office


def test_the_second_admin_is_told_who_the_first_is(office: Office) -> None:
    with (
        holding(office.desk, "kongu", []),
        pytest.raises(Busy, match=rf"another admin applies: .*, process {os.getpid()}, since 20.*--take-over"),
    ):
        office.apply()
    assert not office.found().pools.nodes["document"]
    assert not office.apply().after


def test_of_many_at_once_one_applies_and_none_breaks_anything(office: Office) -> None:
    plans = [office.plan() for _ in range(4)]
    outcomes: list[object] = []

    def work(index: int) -> None:
        try:
            outcomes.append(apply(office.desk, plans[index]))
        except Exception as error:  # noqa: BLE001 - every outcome is looked at below
            outcomes.append(error)

    workers = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert len(done) == 1 or (not done and all(isinstance(each, Busy) for each in outcomes)), outcomes
    assert {type(each).__name__ for each in outcomes if isinstance(each, Exception)} <= {"Busy", "CloudChanged"}
    assert not office.apply().after


@pytest.mark.parametrize("place", ["", "another"])
def test_an_admin_elsewhere_is_respected_until_told_otherwise(office: Office, place: str) -> None:
    announced(office, place)
    with pytest.raises(Busy, match=f"anita on {re.escape(socket.gethostname())}, process 4194305"):
        office.apply()
    assert not office.apply(take_over=True).after
    assert [node.name for node in office.found().pools.nodes["document"]] == ["kongu.keys"]


def test_taking_over_frees_the_community_though_nothing_is_to_be_done(office: Office) -> None:
    office.apply()
    announced(office, "another")
    assert not office.plan()
    office.apply(take_over=True)
    assert [node.name for node in office.found().pools.nodes["document"]] == ["kongu.keys"]


def test_a_dead_apply_on_this_machine_is_cleared_away(office: Office) -> None:
    announced(office, this_process().place)
    assert not office.apply().after
    assert [node.name for node in office.found().pools.nodes["document"]] == ["kongu.keys"]


def user(office: Office, name: str, group: int, *, admin: bool = False) -> str:
    number = office.raw("user.allocate", name, "secret", "core", [group])
    if admin:
        office.raw("group.addadmin", group, number)
    return f"{name}:secret"


MARK = 'GURNEY_COMMUNITY="kongu"\nGURNEY_KIND="{}"\nGURNEY_KEY="{}"'


def test_a_branch_user_s_forged_marks_are_not_believed(office: Office) -> None:
    office.apply()
    group = office.found().view.groups["erode"].id
    eve = office.cloud_as(user(office, "eve", group))
    eve.call("template.allocate", 'NAME="kongu.salem"\nCPU="1"\nMEMORY="64"\n' + MARK.format("template", "salem"))
    assert not office.plan()
    assert any("owner eve" in words for words in office.found().foreign)


def test_a_group_admin_cannot_take_another_branch_s_place(office: Office) -> None:
    """A group's admin may rewrite attributes and contexts of what is in the group: only against the own branch."""
    office.apply()
    before = office.found()
    eve = office.cloud_as(user(office, "eve", before.view.groups["erode"].id, admin=True))
    vm = before.view.appliances["erode"].id
    attempts: dict[str, tuple[object, ...]] = {
        "vm.update": (vm, MARK.format("appliance", "salem"), 1),
        "vm.updateconf": (vm, 'CONTEXT=[GURNEY_COMMUNITY="kongu",GURNEY_BRANCH="salem",NETWORK="YES"]'),
        "group.update": (before.view.groups["erode"].id, MARK.format("group", "salem"), 1),
        "vn.update": (dict(before.view.ours("network"))["erode"].id, MARK.format("network", "salem"), 1),
    }
    for method, arguments in attempts.items():
        with suppress(CloudError):  # what is refused does no harm
            eve.call(method, *arguments)
    now = office.found()
    assert now.view.appliances["salem"].id == before.view.appliances["salem"].id
    assert now.view.appliances["erode"].id == vm
    assert now.view.groups["salem"].id == before.view.groups["salem"].id
    assert {step.key for step in office.plan()} <= {"erode", ""}, "salem is not touched"


def test_what_the_cloud_accepts_and_does_not_do_is_an_error(new_office: Callable[..., Office]) -> None:
    office = new_office(faults=("vn.chmod:noop@1",))
    with pytest.raises(NotFinished, match=r"update network kongu\.\w+: the cloud accepted it and did not do it"):
        office.apply()
    assert not office.apply().after


CHANGING = [
    "document.allocate", "datastore.allocate", "group.allocate", "group.update", "group.quota", "vdc.allocate",
    "vdc.addgroup", "vdc.delgroup", "vdc.addhost", "vdc.adddatastore", "acl.addrule", "secgroup.allocate",
    "secgroup.chown", "secgroup.chmod", "vn.allocate", "vn.update", "vn.chown", "vn.chmod", "image.allocate",
    "image.chown", "image.lock", "template.allocate", "template.instantiate", "vm.chown",
]  # fmt: skip


FAULTS = [(method, what) for method in CHANGING for what in ("lost", "noop")]
FAULTS += [
    (method, what) for method in CHANGING if "allocate" in method or "group" in method for what in ("2048", "drop")
]


@pytest.mark.parametrize(("method", "what"), FAULTS)
def test_a_call_that_fails_is_told_and_made_good(
    new_office: Callable[..., Office], example_text: str, method: str, what: str
) -> None:
    """Refused, cut off before or after it was done, or answered and not done: told at once, and finished next time."""
    text = example_text[: example_text.index("  salem:")]
    office = replace(new_office(faults=(f"{method}:{what}@1",)), community=parse(text))
    with suppress(ProvisionError):
        office.apply()
    again = office.plan()
    assert again.obstacles == ()
    assert not office.apply().after
    names = [node.name for pool in NAMED for node in office.found().pools.nodes[pool] if "kongu" in node.name]
    assert len(names) == 12, names


NAMED = ("group", "vdc", "vn", "image", "template", "vm", "secgroup", "datastore", "document")


def test_foreign_objects_are_never_touched(office: Office) -> None:
    office.apply()
    group = office.raw("group.allocate", "theirs")
    office.raw("acl.addrule", f"{0x200000000 + group:x}", "1400000000", "f")
    network = office.raw("vn.allocate", 'NAME="theirs"\nVN_MAD="bridge"\nBRIDGE="br9"', 0)
    before = {pool: [node.id for node in nodes] for pool, nodes in office.found().pools.nodes.items()}
    assert not office.plan()
    office.apply()
    assert {pool: [node.id for node in nodes] for pool, nodes in office.found().pools.nodes.items()} == before
    assert network in before["vn"]
