"""What a branch's group admin does to marks and names is mended, or holds up that branch alone."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from provision.errors import Blocked, CloudError
from provision.kinds.image import os_image_key
from provision.planning.resource import Ref

if TYPE_CHECKING:
    from provision.opennebula import Cloud
    from tests.provision.conftest import Office

APIS = {"security-group": "secgroup", "network": "vn", "outbox": "image"}
MERGE, REPLACE = 1, 0
SALEM_S_SCANNER = ("host: 10.20.2.50", "host: 10.20.2.51")


@pytest.fixture
def text(example_text: str) -> str:
    """The example, where eve administers erode's group, and arul salem's."""
    with_eve = example_text.replace("staff: {dr.anbu", "admins: {eve: {group_admin: true}}\n    staff: {dr.anbu")
    return with_eve.replace("staff: {dr.mala", "admins: {arul: {group_admin: true}}\n    staff: {dr.mala")


@pytest.fixture
def applied(office: Office, text: str) -> Office:
    office.apply(text)
    office.until_running()
    return office


def person(office: Office, login: str) -> Cloud:
    """The cloud as a group's admin sees it."""
    (file,) = office.desk.identity.path.parent.glob(f"credential-kongu.*.{login}-*")
    return office.cloud_as(file.read_text().strip())


def ids(office: Office) -> dict[str, int]:
    """The id of each branch's network, security group, archive, outbox and group."""
    kinds = {*APIS, "archive", "group"}
    return {str(ref): each.id for ref, each in office.found().resources.items() if ref.kind in kinds}


def steps(office: Office, text: str) -> list[tuple[str, str, str]]:
    return [(step.action, step.kind, step.key) for step in office.plan(text)]


FORGED = {
    "none at all": ('DESCRIPTION="mine"', REPLACE),
    "another branch": ('GURNEY_KEY="salem"', MERGE),
    "no branch": ('GURNEY_KEY="nobody"', MERGE),
    "another community": ('GURNEY_COMMUNITY="other"', MERGE),
    "another kind": ('GURNEY_KIND="archive"', MERGE),
    "the community's own kind": ('GURNEY_KIND="appliance-image"', MERGE),
    "no kind": ('GURNEY_KIND="nothing"', MERGE),
}


@pytest.mark.parametrize("mark", FORGED)
@pytest.mark.parametrize("kind", APIS)
def test_a_mark_that_is_altered_is_written_anew_and_holds_up_nobody(
    applied: Office, text: str, kind: str, mark: str
) -> None:
    before, (forged, how) = ids(applied), FORGED[mark]
    number = before[f"{kind} erode"]
    if (kind, how) == ("network", REPLACE):  # OpenNebula lets nobody else take VN_MAD off
        forged, how = 'GURNEY_COMMUNITY=""\nGURNEY_KIND=""\nGURNEY_KEY=""\nGATEWAY=""\nDNS="10.66.6.6"', MERGE
    person(applied, "eve").call(f"{APIS[kind]}.update", number, forged, how)
    assert ids(applied) == before
    assert steps(applied, text) == [("update", kind, "erode")]
    changed = text.replace(*SALEM_S_SCANNER)
    applied.desk.cloud.calls.clear()
    assert not applied.apply(changed).after
    assert applied.desk.cloud.calls[f"{APIS[kind]}.update"] == 1
    assert ids(applied) == before
    assert applied.plan(changed).to_json() == []
    assert not applied.found().foreign


def test_two_branches_cannot_change_places(applied: Office, text: str) -> None:
    before = ids(applied)
    person(applied, "eve").call("vn.update", before["network erode"], 'GURNEY_KEY="salem"', MERGE)
    person(applied, "arul").call("vn.update", before["network salem"], 'GURNEY_KEY="erode"', MERGE)
    assert ids(applied) == before
    assert steps(applied, text) == [("update", "network", "erode"), ("update", "network", "salem")]
    assert not applied.apply(text).after
    assert ids(applied) == before


def test_what_a_group_s_people_made_themselves_is_never_believed(applied: Office, text: str) -> None:
    """It has our name, our mark and our group, but is theirs; and ours has lost its mark."""
    before, eve = ids(applied), person(applied, "eve")
    mark = 'GURNEY_COMMUNITY="kongu"\nGURNEY_KIND="outbox"\nGURNEY_KEY="erode"'
    eve.call("image.allocate", f'NAME="kongu.erode.outbox"\nTYPE="DATABLOCK"\nSIZE="9"\n{mark}', 1)
    eve.call("image.update", before["outbox erode"], 'DESCRIPTION="mine"', REPLACE)
    assert ids(applied) == before
    assert not applied.apply(text).after
    assert ids(applied) == before
    assert any("owner kongu.erode.eve" in words for words in applied.found().foreign)


def test_what_the_cloud_s_owner_handed_over_is_left_alone(applied: Office, text: str) -> None:
    """It has no mark, and a name that is none of ours."""
    number = applied.raw("vn.allocate", 'NAME="kongu.erode-guests"\nVN_MAD="bridge"\nBRIDGE="br9"', 0)
    applied.raw("vn.chown", number, -1, applied.found().view.groups["erode"].id)
    before = ids(applied)
    assert steps(applied, text) == []
    person(applied, "eve").call("vn.update", before["network erode"], 'GURNEY_KEY="nobody"', MERGE)
    assert not applied.apply(text).after
    assert ids(applied) == before
    assert applied.found().pools.by_id["vn"][number].name == "kongu.erode-guests"


NOVA = """\
  nova:
    title: Nova Clinic
    ae_title: NOVA
    network: {cidr: 10.20.9.0/24, gateway: 10.20.9.1, vlan: 109, appliance: 10.20.9.10}
    quota: {cpu: 4, memory: 8GiB, disk: 500GiB, vms: 2}
"""


TAKEN = [
    ("network", "kongu.nova", 'DESCRIPTION="mine"'),
    ("outbox", "kongu.nova.outbox", 'DESCRIPTION="mine"'),
    ("outbox", "kongu.nova.outbox", 'GURNEY_KEY="nobody"'),
]


def with_nova(text: str) -> str:
    """The example with a new branch, and with another scanner in salem."""
    return text.replace("  salem:\n", f"{NOVA}  salem:\n").replace(*SALEM_S_SCANNER)


@pytest.mark.parametrize(("kind", "name", "mark"), TAKEN)
def test_a_new_branch_s_name_is_freed_before_it_is_needed(
    applied: Office, text: str, kind: str, name: str, mark: str
) -> None:
    before = ids(applied)
    person(applied, "eve").call(f"{APIS[kind]}.update", before[f"{kind} erode"], mark, MERGE)
    person(applied, "eve").call(f"{APIS[kind]}.rename", before[f"{kind} erode"], name)
    the_plan = applied.plan(with_nova(text))
    renaming, making = (next(s for s in the_plan if str(s.ref) == f"{kind} {key}") for key in ("erode", "nova"))
    assert making.after >= {renaming.id}
    assert not applied.apply(with_nova(text)).after
    assert ids(applied).items() >= before.items()
    assert Ref("appliance", "nova") in applied.found().resources


def test_who_takes_a_new_branch_s_name_for_good_holds_up_that_branch_alone(applied: Office, text: str) -> None:
    kind, name = "network", "kongu.nova"
    eve, number, changed = person(applied, "eve"), ids(applied)[f"{kind} erode"], with_nova(text)
    eve.call(f"{APIS[kind]}.rename", number, name)
    eve.call(f"{APIS[kind]}.update", number, 'GURNEY_KIND="nothing"', MERGE)
    the_plan = applied.plan(changed)
    assert the_plan.obstacles == ()
    assert not [step for step in the_plan if step.branch == "nova"]
    (words,) = [words for words in the_plan.conditions if words.startswith("Branch nova is held up")]
    assert f"its {kind} is to be called {name}, as is one of group kongu.erode (id {number})" in words
    assert not applied.apply(changed).after
    salem = applied.found().resources[Ref("network", "salem")].spec.addresses
    assert any(IPv4Address("10.20.2.50") in each for each in salem), "the former scanner's address is free again"
    applied.raw(f"{APIS[kind]}.rename", number, "theirs")
    assert not applied.apply(changed).after
    assert Ref("appliance", "nova") in applied.found().resources
    assert applied.plan(changed).to_json() == []


NEW_SOURCE = "/var/tmp/new.qcow2"
NEW_IMAGE = f"kongu.appliance-{os_image_key(NEW_SOURCE)}"


def with_new_image(office: Office, text: str) -> str:
    """The example with another OS image, which lies on the front end."""
    (office.folder / f"state/host{NEW_SOURCE}").write_bytes(bytes(1 << 20))
    return text.replace("/var/tmp/gurney-appliance.qcow2", NEW_SOURCE)


@pytest.mark.parametrize("mark", FORGED)
@pytest.mark.parametrize("name", [NEW_IMAGE, "mine"])
def test_an_outbox_is_known_by_its_folder_whatever_its_mark_and_name(
    applied: Office, text: str, name: str, mark: str
) -> None:
    """The community's next image gets its name, which can be guessed."""
    changed, before, (forged, how) = with_new_image(applied, text), ids(applied), FORGED[mark]
    person(applied, "eve").call("image.update", before["outbox erode"], forged, how)
    person(applied, "eve").call("image.rename", before["outbox erode"], name)
    assert steps(applied, text) == [("update", "outbox", "erode")]
    assert not applied.apply(changed).after
    assert ids(applied) == before
    images = {node.name for node in applied.found().pools.nodes["image"]}
    assert {NEW_IMAGE, "kongu.erode.outbox"} <= images
    assert "mine" not in images


def test_a_name_of_the_community_that_is_taken_says_by_which_group(applied: Office, text: str) -> None:
    """What the cloud's owner handed to a branch is not Gurney's to rename."""
    changed, group = with_new_image(applied, text), applied.found().view.groups["erode"].id
    number = applied.raw("image.allocate", 'NAME="old"\nTYPE="DATABLOCK"\nSIZE="9"', 1)
    applied.raw("image.chown", number, -1, group)
    person(applied, "eve").call("image.rename", number, NEW_IMAGE)
    with pytest.raises(Blocked, match=rf"\(id {number}\) .* one of group kongu\.erode, whose admin can rename it"):
        applied.apply(changed)
    applied.raw("image.rename", number, "old")
    assert not applied.apply(changed).after


@pytest.mark.parametrize(
    ("call", "arguments"),
    [("unlock", ()), ("rename", (NEW_IMAGE,)), ("update", ('GURNEY_KEY="nobody"', MERGE)), ("chtype", ("OS",))],
)
def test_an_archive_s_lock_keeps_its_mark_and_name(
    applied: Office, text: str, call: str, arguments: tuple[object, ...]
) -> None:
    with pytest.raises(CloudError, match=rf"one\.image\.{call}"):
        person(applied, "eve").call(f"image.{call}", ids(applied)["archive erode"], *arguments)
    assert steps(applied, text) == []
