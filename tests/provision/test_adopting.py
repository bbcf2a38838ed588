"""What is adopted becomes what it was meant to be; what is somebody's, or would be deleted next, is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.stores import open_store
from provision.applying.adopt import adopt
from provision.applying.holding import holding
from provision.declaring.reading import parse
from provision.errors import Blocked, Busy
from provision.kinds.image import os_image_key
from provision.planning.resource import Ref

if TYPE_CHECKING:
    from tests.provision.conftest import Office

DATA = 'NAME="old-data"\nTYPE="DATABLOCK"\nSIZE="204800"\nPERSISTENT="YES"'
NETWORK = 'NAME="plain"\nVN_MAD="bridge"\nBRIDGE="br9"\nAR=[TYPE="IP4",IP="192.168.9.1",SIZE="9"]'


@pytest.fixture
def applied(office: Office) -> Office:
    office.apply()
    office.until_running()
    return office


def refused(office: Office, kind: str, which: str | int, key: str = "") -> str:
    """Why an object is not adopted; nothing at all has changed."""
    before = office.plan().to_json(), office.found().foreign
    with pytest.raises(Blocked) as caught:
        adopt(office.desk, office.community, kind, str(which), key)
    assert (office.plan().to_json(), office.found().foreign) == before
    return str(caught.value)


def test_a_branch_s_archive_is_not_given_to_another(applied: Office) -> None:
    salem = dict(applied.found().view.ours("archive"))["salem"].id
    assert f"kongu.salem.archive (id {salem}) is archive salem of kongu" in refused(applied, "archive", salem, "erode")
    assert "is archive salem of kongu already" in refused(applied, "archive", salem, "salem")


@pytest.mark.parametrize("of_another_account", [False, True])
def test_another_community_s_archive_is_not_taken(
    applied: Office, example_text: str, *, of_another_account: bool
) -> None:
    """Each has its service user, or both have the same."""
    theirs = applied.found().view.ours("archive")
    if of_another_account:
        number = applied.raw("user.allocate", "gurney2", "secret", "core", [0])
        for _, node in theirs:
            applied.raw("image.unlock", node.id)
            applied.raw("image.chown", node.id, number, 0)
    (applied.folder / "state/host/srv/other").mkdir()
    exchange = str(applied.folder / "state/host/srv/other")
    text = example_text.replace("community: kongu", "community: other").replace("/srv/exchange", "/srv/other")
    other = replace(applied, desk=replace(applied.desk, store=open_store(exchange)), community=parse(text))
    assert "is archive erode of kongu: what is somebody's" in refused(other, "archive", "kongu.erode.archive", "salem")


def test_where_one_stands_no_other_takes_its_place(applied: Office) -> None:
    number = applied.raw("image.allocate", DATA, 1)
    archive = dict(applied.found().view.ours("archive"))["erode"].id
    words = refused(applied, "archive", number, "erode")
    assert f"archive erode stands already: kongu.erode.archive (id {archive})" in words


@pytest.mark.parametrize(("kind", "template"), [("network", NETWORK), ("archive", DATA)])
def test_of_what_a_branch_has_it_is_said_whose_it_shall_be(applied: Office, kind: str, template: str) -> None:
    call, more = {"network": ("vn.allocate", -1), "archive": ("image.allocate", 1)}[kind]
    number = applied.raw(call, template, more)
    assert f"say whose {kind} it shall be: --as erode or salem or karur" in refused(applied, kind, number)
    assert f"declares no {kind} of 'tiruppur'" in refused(applied, kind, number, "tiruppur")


def test_what_nobody_declared_is_not_adopted_to_be_deleted_next(applied: Office) -> None:
    number = applied.raw("vmgroup.allocate", 'NAME="old"')
    assert "declares no vm-group, and the next apply would delete it" in refused(applied, "vm-group", number)


def test_the_community_s_own_image_is_adopted_as_the_one_that_is_declared(office: Office) -> None:
    text = 'NAME="brought"\nTYPE="OS"\nPATH="/var/tmp/gurney-appliance.qcow2"'
    number = office.raw("image.allocate", text, 1)
    assert "is the community's, and no branch's: leave --as out" in refused(office, "appliance-image", number, "erode")
    adopt(office.desk, office.community, "appliance-image", "brought")
    key = os_image_key("/var/tmp/gurney-appliance.qcow2")
    steps = [(step.action, step.key) for step in office.plan() if step.kind == "appliance-image"]
    assert steps == [("update", key)]
    assert not office.apply().after
    assert office.found().resources[Ref("appliance-image", key)].id == number
    assert "there is nothing to adopt" in refused(office, "appliance-image", number)


def test_an_account_is_adopted_by_name_and_group(applied: Office, example_text: str) -> None:
    text = example_text.replace("staff: {dr.mala", "admins: {eve: {}}\n    staff: {dr.mala")
    there = replace(applied, community=parse(text))
    groups = there.found().view.groups
    stranger = there.raw("user.allocate", "eve", "secret", "core", [groups["salem"].id])
    assert "known by its name, kongu.salem.eve" in refused(there, "cloud-user", stranger, "salem.eve")
    number = there.raw("user.allocate", "kongu.salem.eve", "secret", "core", [groups["erode"].id])
    words = refused(there, "cloud-user", number, "salem.eve")
    assert "has kongu.erode as its primary group, which is not that of salem" in words
    assert "say whose cloud-user it shall be: --as salem.eve" in refused(there, "cloud-user", number, "")


def test_a_number_is_an_id_though_it_is_a_name_too(applied: Office) -> None:
    number = applied.raw("vn.allocate", NETWORK, -1)
    applied.raw("vn.allocate", NETWORK.replace("plain", str(number)), -1)
    assert "network erode stands already" in refused(applied, "network", number, "erode")


def test_nothing_is_adopted_while_another_admin_applies(applied: Office) -> None:
    number = applied.raw("image.allocate", DATA, 1)
    with holding(applied.desk, "kongu", ()), pytest.raises(Busy):
        adopt(applied.desk, applied.community, "archive", str(number), "erode")
    assert "GURNEY_KIND" not in applied.found().pools.by_id["image"][number].attributes()
