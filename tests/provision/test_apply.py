"""An apply arrives at what is declared, and rests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.errors import Blocked, CloudChanged, NotFinished
from provision.node import first

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office


def test_the_second_plan_is_empty(office: Office) -> None:
    applied = office.apply()
    assert applied.steps == 34
    assert not applied.after
    assert office.plan().to_json() == []
    assert office.apply().steps == 0


def test_reading_takes_one_call_a_pool(office: Office) -> None:
    office.desk.cloud.calls.clear()
    office.plan()
    before = office.desk.cloud.calls.total()
    office.apply()
    office.desk.cloud.calls.clear()
    office.plan()
    assert office.desk.cloud.calls.total() == before <= 20


def test_what_is_made_is_what_another_client_sees(office: Office) -> None:
    """pyone alone, unmodified, sees the names, owners, quotas and rules."""
    import pyone

    office.apply()
    one = pyone.OneServer(office.embedded.endpoint, session=office.embedded.session)
    group = next(group for group in one.grouppool.info().GROUP if group.NAME == "kongu.erode")
    quota = one.group.info(group.ID).VM_QUOTA.VM[0]
    assert (quota.VMS, quota.CPU, quota.MEMORY) == ("2", "4", "8192")
    default = one.vdc.info(0)
    assert group.ID not in default.GROUPS.ID
    network = next(network for network in one.vnpool.info(-2, -1, -1).VNET if network.NAME == "kongu.erode")
    assert (network.VN_MAD, network.VLAN_ID, network.PHYDEV) == ("802.1Q", "101", "eth1")
    assert (network.UID, network.GID) == (0, group.ID)
    assert network.TEMPLATE["SECURITY_GROUPS"] != "0"
    ranges = [(each.IP, int(each.SIZE)) for each in network.AR_POOL.AR]
    assert ranges == [("10.20.1.2", 8), ("10.20.1.11", 39), ("10.20.1.53", 202), ("10.20.1.10", 1)]
    vm = next(vm for vm in one.vmpool.infoextended(-2, -1, -1, -1).VM if vm.NAME == "kongu.erode")
    context = vm.TEMPLATE["CONTEXT"]
    assert (context["GURNEY_BRANCH"], context["GURNEY_AE_TITLE"], context["SET_HOSTNAME"]) == (
        "erode",
        "ERODE",
        "erode",
    )
    assert vm.TEMPLATE["NIC"]["IP"] == "10.20.1.10"
    assert [disk["IMAGE"].split(".")[-1].split("-")[0] for disk in vm.TEMPLATE["DISK"]] == [
        "appliance",
        "archive",
        "exchange",
        "outbox",
    ]
    rules = [rule.STRING for rule in one.acl.info().ACL if rule.STRING.startswith(f"@{group.ID} ")]
    assert f"@{group.ID} VM+IMAGE+TEMPLATE/* CREATE #0" in rules


def test_the_archive_cannot_be_deleted_by_mistake(office: Office) -> None:
    from provision.errors import CloudError

    office.apply()
    archive = office.found().resources[next(ref for ref in office.found().resources if ref.kind == "archive")]
    with pytest.raises(CloudError, match="is locked"):
        office.raw("image.delete", archive.id, False)


def test_the_community_s_keys_lie_in_the_cloud_and_open_for_the_admin_alone(office: Office) -> None:
    applied = office.apply()
    document = dict(office.found().view.ours("keys"))[""]
    body = first(document.attributes(), "GURNEY_BODY")
    assert body.startswith("-----BEGIN AGE ENCRYPTED FILE-----")
    keys = office.found().keys
    assert keys is not None
    assert keys.sign.text not in body
    assert applied.recovery_file is not None
    assert applied.recovery_file.stat().st_mode & 0o777 == 0o600
    assert "OPENSSH PRIVATE KEY" in applied.recovery_file.read_text()
    assert any("safe" in note for note in applied.notes)


def test_without_onegate_no_token_is_asked_for(new_office: Callable[..., Office]) -> None:
    office = new_office(onegate=False)
    assert any("gurney branch enrol" in words for words in office.plan().conditions)
    applied = office.apply()
    assert not applied.after
    template = dict(office.found().view.ours("template"))["erode"]
    assert "TOKEN" not in template.attributes()["CONTEXT"]


def test_a_plan_of_before_is_not_applied_to_a_cloud_that_needs_more(office: Office) -> None:
    from provision.applying.apply import apply

    old = office.plan()
    office.apply()
    assert apply(office.desk, old).steps == 0, "less is left to do than was shown: that is fine"
    office.raw("vn.update", dict(office.found().view.ours("network"))["erode"].id, 'GATEWAY="10.9.9.9"', 1)
    with pytest.raises(CloudChanged, match="look at a new plan"):
        apply(office.desk, old)


def test_destroy_leaves_nothing_of_ours_and_everything_else(office: Office) -> None:
    from provision.applying.apply import apply
    from provision.applying.destroy import plan_to_destroy

    office.apply()
    theirs = office.raw("image.allocate", 'NAME="theirs"\nTYPE="DATABLOCK"\nSIZE="1"', 1)
    the_plan = plan_to_destroy(office.found())
    with pytest.raises(Blocked, match="--allow-destroy erode"):
        apply(office.desk, the_plan)
    assert len(office.found().resources) == 34
    apply(office.desk, the_plan, allow=frozenset({"erode", "salem", "karur"}))
    left = office.found()
    assert {ref.kind for ref in left.resources} <= {"outbox-folder"}
    assert [node.id for node in left.pools.nodes["image"]] == [theirs]
    assert {node.name for node in left.pools.nodes["group"]} == {"oneadmin", "users"}
    assert office.apply().steps == 31


def test_a_failing_step_names_the_object_the_call_the_words_and_the_advice(office: Office) -> None:
    (office.folder / "state" / "host" / "var" / "tmp" / "gurney-appliance.qcow2").unlink()
    with pytest.raises(NotFinished) as caught:
        office.apply()
    (failure,) = caught.value.failures
    assert "appliance-image kongu.appliance-" in failure
    assert "one.image.allocate: " in failure
    assert "No such file" in failure
    assert "has to exist on the front end" in failure
    assert "Run apply again" in str(caught.value)
    (office.folder / "state" / "host" / "var" / "tmp" / "gurney-appliance.qcow2").write_bytes(bytes(1 << 20))
    assert not office.apply().after
