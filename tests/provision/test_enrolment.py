"""Enrolment from the admin's side: whose keys are taken up, and what is published for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from exchange import directory as directories
from exchange import settings as all_settings
from exchange.keys import BranchKeys
from exchange.proof import prove
from provision.enrolling.enrolment import Enrolment, enrol, wait_until_ready
from provision.enrolling.identity import own_identity
from provision.errors import NoIdentity
from provision.planning.found import found
from tests.provision.reporting import report, vm_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.conftest import Office


def words_of(enrolment: Enrolment, branch: str) -> str:
    return next(each.words for each in enrolment.branches if each.name == branch)


@pytest.fixture
def applied(office: Office) -> Office:
    office.apply()
    return office


def test_nothing_is_published_before_a_key_is_reported(applied: Office) -> None:
    enrolment = enrol(applied.desk, applied.community)
    assert enrolment.directory_version == 0
    assert not any(branch.enrolled for branch in enrolment.branches)
    assert not applied.plan()


def test_the_first_key_is_taken_up_and_settings_are_sealed_to_it(applied: Office) -> None:
    keys = BranchKeys.generate()
    report(applied, "erode", keys)
    enrolment = enrol(applied.desk, applied.community)
    assert [branch.name for branch in enrolment.branches if branch.enrolled] == ["erode"]
    assert enrolment.directory_version == 1
    assert {(each.login, each.role) for each in enrolment.invitations} == {
        ("dr.anbu", "doctor"),
        ("r.devi", "radiographer"),
    }
    community = applied.found().keys
    assert community is not None
    told = all_settings.latest(applied.desk.store, "kongu", "erode", community.trusted, keys.seal).value
    code = next(each.code for each in enrolment.invitations if each.login == "dr.anbu")
    member = next(member for member in told.staff if member.login == "dr.anbu")
    assert member.invitation is not None
    assert member.invitation.accepts(code, datetime.now(UTC))
    assert [device.ae_title for device in told.modalities] == ["CT1", "MR1", "US1"]
    assert not applied.plan(), "enrolment is no drift"
    assert enrol(applied.desk, applied.community).invitations == ()


def test_a_second_pass_publishes_nothing(applied: Office) -> None:
    for branch in ("erode", "salem"):
        report(applied, branch, BranchKeys.generate())
    first = enrol(applied.desk, applied.community)
    second = enrol(applied.desk, applied.community)
    assert first.directory_version == second.directory_version == 1
    assert second.invitations == ()


@pytest.mark.parametrize("lie", ["another VM", "another branch", "another key"])
def test_a_false_proof_is_refused(applied: Office, lie: str) -> None:
    keys = BranchKeys.generate()
    if lie == "another VM":
        report(applied, "erode", keys, vm=999)
    elif lie == "another branch":
        report(applied, "erode", keys, as_branch="salem")
    else:
        report(applied, "erode", keys)
        other = BranchKeys.generate().public
        applied.raw("vm.update", vm_of(applied, "erode"), f'GURNEY_SIGN_KEY="{other.sign}"', 1)
    enrolment = enrol(applied.desk, applied.community)
    assert enrolment.directory_version == 0
    assert "not ready" not in words_of(enrolment, "erode")
    assert not any(branch.enrolled for branch in enrolment.branches)


def test_a_changed_key_is_refused_until_the_console_vouches(applied: Office) -> None:
    report(applied, "erode", BranchKeys.generate())
    enrol(applied.desk, applied.community)
    stolen = BranchKeys.generate()
    report(applied, "erode", stolen)
    enrolment = enrol(applied.desk, applied.community)
    assert enrolment.directory_version == 1
    assert f"--rekey {stolen.public.fingerprint}" in words_of(enrolment, "erode")
    again = enrol(applied.desk, applied.community, rekey={"erode": stolen.public.fingerprint})
    assert again.directory_version == 2
    directory = applied.found().view.published.directory
    assert directory is not None
    assert directory.branch("erode").keys == stolen.public


def test_a_guest_cannot_enrol_as_another_branch_by_its_attributes(applied: Office) -> None:
    """Whatever marks a guest writes on its VM, it stays the VM of its own branch."""
    number = vm_of(applied, "erode")
    applied.raw("vm.update", number, 'GURNEY_KEY="salem"\nGURNEY_KIND="appliance"', 1)
    keys = BranchKeys.generate()
    proof = prove(keys, "kongu", "salem", number)
    text = f'GURNEY_SIGN_KEY="{keys.public.sign}"\nGURNEY_SEAL_KEY="{keys.public.seal}"\nGURNEY_PROOF="{proof}"'
    applied.raw("vm.update", number, text, 1)
    enrolment = enrol(applied.desk, applied.community)
    assert not any(branch.enrolled for branch in enrolment.branches)
    assert vm_of(applied, "erode") == number


def test_new_staff_are_a_change_in_place_with_an_invitation(applied: Office, example_text: str) -> None:
    keys = BranchKeys.generate()
    report(applied, "erode", keys)
    enrol(applied.desk, applied.community)
    text = example_text.replace("dr.anbu: doctor", "dr.anbu: admin, dr.new: doctor").replace(
        "CT1, host: 10.20.1.50", "CT2, host: 10.20.1.60"
    )
    the_plan = applied.plan(text)
    assert [(step.action, step.kind) for step in the_plan if step.kind == "settings"] == [("update", "settings")]
    done = applied.apply(text)
    assert [(each.login, each.role) for each in done.invitations] == [("dr.new", "doctor")]
    assert not done.after
    community = applied.found().keys
    assert community is not None
    told = all_settings.latest(applied.desk.store, "kongu", "erode", community.trusted, keys.seal).value
    assert told.version == 2
    assert {member.login: member.role for member in told.staff}["dr.anbu"] == "admin"


def test_a_new_title_is_published_in_the_directory(applied: Office, example_text: str) -> None:
    report(applied, "erode", BranchKeys.generate())
    enrol(applied.desk, applied.community)
    done = applied.apply(example_text.replace("Erode Town Hospital", "Erode District Hospital"))
    assert not done.after
    directory = applied.found().view.published.directory
    assert directory is not None
    assert (directory.version, directory.branch("erode").title) == (2, "Erode District Hospital")


def test_a_branch_that_is_no_longer_declared_is_revoked(applied: Office, example_text: str) -> None:
    report(applied, "karur", BranchKeys.generate())
    enrol(applied.desk, applied.community)
    start, end = example_text.index("  karur:"), example_text.index("referrals:")
    applied.apply(example_text[:start], allow=frozenset({"karur"}))
    assert end
    directory = applied.found().view.published.directory
    assert directory is not None
    entry = directory.find("karur")
    assert entry is not None
    assert entry.revoked


def test_another_admin_is_let_in_by_one_who_is(applied: Office, tmp_path: Path, example_text: str) -> None:
    own_identity(tmp_path / "anita.txt").keep()
    anita = own_identity(tmp_path / "anita.txt")
    hers = replace(applied.desk, identity=anita)
    with pytest.raises(NoIdentity, match=rf"put {anita.recipient} under `admins:`"):
        found(hers, "kongu")
    text = example_text.replace("cloud:", f"admins: {{anita: {anita.recipient}}}\n\ncloud:", 1)
    assert [(step.action, step.kind) for step in applied.plan(text)] == [("update", "keys")]
    keys = applied.found().keys
    assert not applied.apply(text).after
    assert found(hers, "kongu").keys == applied.found().keys == keys
    assert not applied.apply(example_text).after, "and out again"
    with pytest.raises(NoIdentity):
        found(hers, "kongu")


def test_waiting_ends_at_its_time_and_says_what_is_waited_for(applied: Office) -> None:
    heard: list[str] = []
    enrolment = wait_until_ready(applied.desk, applied.community, 0.5, lambda progress: heard.append(progress.words))
    assert not enrolment.ready
    assert words_of(enrolment, "erode") == "it does not answer yet"
    assert heard


def test_a_directory_of_before_a_destroy_is_no_hindrance(applied: Office) -> None:
    """Names in the exchange are never used again: new keys publish after what the destroy published."""
    from provision.applying.apply import apply
    from provision.applying.destroy import plan_to_destroy

    report(applied, "erode", BranchKeys.generate())
    enrol(applied.desk, applied.community)
    apply(applied.desk, plan_to_destroy(applied.found()), allow=frozenset({"erode", "salem", "karur"}))
    applied.apply()
    report(applied, "erode", BranchKeys.generate())
    assert enrol(applied.desk, applied.community).directory_version == 3
    assert directories.LIFETIME.days >= 365
