"""The directory over the years: renewed in time, counted past strays, and left empty by a destroy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange import directory as directories
from exchange.keys import BranchKeys
from exchange.proof import prove
from provision.applying.apply import acting, apply
from provision.applying.destroy import plan_to_destroy
from provision.declaring.reading import parse
from provision.enrolling.enrolment import enrol, wait_until_ready
from provision.enrolling.published import publish_directory
from provision.errors import NotFinished
from provision.kinds import directory as directory_kind
from provision.planning.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.directory import Directory
    from provision.enrolling.enrolment import Enrolment
    from tests.provision.conftest import Office

ALL = frozenset({"erode", "salem", "karur"})


def enrolled(office: Office, *branches: str) -> Enrolment:
    """Enrol branches with new keys, as their guests would report them."""
    for branch in branches:
        keys, vm = BranchKeys.generate(), office.found().view.appliances[branch].id
        told = {"SIGN_KEY": keys.public.sign, "SEAL_KEY": keys.public.seal, "PROOF": prove(keys, "kongu", branch, vm)}
        office.raw("vm.update", vm, "\n".join(f'GURNEY_{name}="{value}"' for name, value in told.items()), 1)
    return enrol(office.desk, office.community)


def standing(office: Office) -> Directory:
    directory = office.found().view.published.directory
    assert directory is not None
    return directory


@pytest.fixture
def office_in_use(office: Office) -> Office:
    office.apply()
    enrolled(office, "erode", "salem")
    return office


def aged(office: Office, left: timedelta) -> None:
    """Publish the directory once more, with so much of its lifetime left."""
    keys, now = office.found().keys, datetime.now(UTC)
    assert keys is not None
    before = standing(office)
    old = replace(before, version=before.version + 1, issued=now + left - directories.LIFETIME, expires=now + left)
    directories.publish(office.desk.store, old, keys.sign)


@pytest.mark.parametrize("days", [181, 1, -30])
def test_it_is_renewed_before_it_expires_and_after(office_in_use: Office, days: int) -> None:
    aged(office_in_use, timedelta(days=days))
    before = standing(office_in_use)
    steps = [(step.action, step.kind, [change.field for change in step.changes]) for step in office_in_use.plan()]
    assert steps == [("update", "directory", ["fresh"])]
    assert not office_in_use.apply().after
    after = standing(office_in_use)
    assert (after.branches, after.referrals, after.version) == (before.branches, before.referrals, before.version + 1)
    assert after.expires > datetime.now(UTC) + timedelta(days=364)


def test_it_is_left_alone_while_it_is_young(office_in_use: Office) -> None:
    aged(office_in_use, timedelta(days=184))
    assert not office_in_use.plan()


def test_other_referrals_are_published(office_in_use: Office, example_text: str) -> None:
    text = example_text.replace("{from: erode, to: [salem, karur]}", "{from: erode, to: [karur]}")
    assert [(step.kind, step.changes[0].field) for step in office_in_use.plan(text)] == [("directory", "referrals")]
    assert not office_in_use.apply(text).after
    assert set(standing(office_in_use).referrals) == {
        ("erode", "karur"), ("salem", "erode"), ("karur", "erode"), ("karur", "salem")
    }  # fmt: skip


@pytest.mark.parametrize("stray", ["9999999999.json", "0000000002.json", "12345678901234.json", "notes.txt"])
def test_a_stray_file_does_not_stop_publishing(office_in_use: Office, example_text: str, stray: str) -> None:
    places = [office_in_use.exchange / "community" / part for part in ("directory", "settings/erode")]
    for place in places:
        (place / stray.replace(".json", ".age" if "settings" in str(place) else ".json")).write_text("{}")
    text = example_text.replace("Erode Town Hospital", "Erode District Hospital").replace(
        "dr.anbu: doctor", "x: doctor"
    )
    assert not office_in_use.apply(text).after
    assert standing(office_in_use).version == (3 if stray.startswith("0") else 2)
    assert standing(office_in_use).branch("erode").title == "Erode District Hospital"


def test_after_a_destroy_first_keys_are_taken_up_again(office_in_use: Office) -> None:
    apply(office_in_use.desk, plan_to_destroy(office_in_use.found()), allow=ALL)
    assert not plan_to_destroy(office_in_use.found())
    assert not office_in_use.apply().after
    enrolment = enrolled(office_in_use, "erode", "salem", "karur")
    assert all(branch.enrolled for branch in enrolment.branches), enrolment
    assert len(enrolment.invitations) == 5, "everybody is invited again"
    assert not office_in_use.plan()


def test_after_half_a_destroy_first_keys_are_taken_up_again(new_office: Callable[..., Office]) -> None:
    """The keys are still there, and the VMs are not: the directory names nobody by then."""
    office = new_office(faults=("document.delete:2048@2",))  # the first one let go of the community
    office.apply()
    enrolled(office, "erode", "salem")
    with pytest.raises(NotFinished, match=r"kongu\.keys"):
        apply(office.desk, plan_to_destroy(office.found()), allow=ALL)
    assert standing(office).branches == ()
    assert not office.apply().after
    enrolment = enrolled(office, "erode", "salem", "karur")
    assert all(branch.enrolled for branch in enrolment.branches), enrolment
    assert len(enrolment.invitations) == 5, "everybody is invited again"
    assert not office.plan()


def test_a_branch_is_revoked_before_its_vm_goes(office_in_use: Office, example_text: str) -> None:
    text = example_text.replace("salem:", "namakkal:").replace("salem", "namakkal")
    order = [(step.action, step.kind, step.key) for step in office_in_use.plan(text)]
    assert order.index(("update", "directory", "")) < order.index(("delete", "appliance", "salem"))


def other_keys(office: Office, branch: str) -> BranchKeys:
    """Another admin takes a branch's changed keys by their fingerprint."""
    keys, vm = BranchKeys.generate(), office.found().view.appliances[branch].id
    told = {"SIGN_KEY": keys.public.sign, "SEAL_KEY": keys.public.seal, "PROOF": prove(keys, "kongu", branch, vm)}
    office.raw("vm.update", vm, "\n".join(f'GURNEY_{name}="{value}"' for name, value in told.items()), 1)
    enrol(office.desk, office.community, rekey={branch: keys.public.fingerprint})
    return keys


def test_a_publication_does_not_bring_back_keys_that_another_admin_has_replaced(
    office_in_use: Office, example_text: str
) -> None:
    """Two desks: one has read the directory and is about to publish a title; meanwhile the other one takes new keys."""
    community = parse(example_text.replace("Erode Town Hospital", "Erode District Hospital"))
    step = next(step for step in plan(community, office_in_use.found()) if step.kind == "directory")
    act = acting(office_in_use.desk, office_in_use.found(), plan(community, office_in_use.found()), -1)
    new = other_keys(office_in_use, "erode")
    assert step.declared is not None
    directory_kind.publish(act, step.declared, -1, step.existing)
    entry = standing(office_in_use).branch("erode")
    assert (entry.title, entry.keys, entry.previous) == ("Erode District Hospital", new.public, ())


def test_enrolment_does_not_either(office_in_use: Office) -> None:
    """One has read the first keys and waits; the other one takes new keys of the branch meanwhile."""
    late = office_in_use.found()
    new = other_keys(office_in_use, "erode")
    seen, keys = late.view.published.directory, late.keys
    assert seen is not None
    assert keys is not None
    store, pairs = office_in_use.desk.store, seen.referrals
    meant = replace(seen.branch("erode"), ae_title="OTHER")
    publish_directory(store, keys, "kongu", [meant], pairs, seen=seen)
    assert standing(office_in_use).branch("erode").keys == new.public
    publish_directory(store, keys, "kongu", [meant], pairs, seen=seen, readmitted=frozenset({"erode"}))
    assert standing(office_in_use).branch("erode").keys == meant.keys, "whose fingerprint an admin has compared"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_real_appliances_enrol_again_after_a_destroy(new_office: Callable[..., Office]) -> None:
    office = new_office(driver="process")
    for _ in range(2):
        office.apply()
        enrolment = wait_until_ready(office.desk, office.community, 120)
        assert enrolment.ready, enrolment
        assert len(enrolment.invitations) == 5
        apply(office.desk, plan_to_destroy(office.found()), allow=ALL)
