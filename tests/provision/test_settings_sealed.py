"""A branch's settings are sealed to the keys that the directory names, whoever changes them meanwhile."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from exchange import settings as all_settings
from exchange.keys import BranchKeys
from provision.applying.apply import apply
from provision.enrolling.enrolment import enrol
from provision.enrolling.published import publish_directory, publish_settings
from provision.enrolling.revocation import revoke
from provision.errors import ProvisionError
from tests.provision.meanwhile import Meanwhile, rekey, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office


def rename_keys(office: Office, keys: BranchKeys) -> None:
    """The same, by an admin who dies before he has written the settings."""
    now = office.found()
    directory = now.view.published.directory
    assert now.keys is not None
    assert directory is not None
    entry = replace(directory.branch("erode"), keys=keys.public)
    readmitted = frozenset({"erode"})
    publish_directory(office.desk.store, now.keys, "kongu", [entry], directory.referrals, readmitted=readmitted)


@pytest.mark.parametrize("rounds", [1, 2])
@pytest.mark.parametrize("way", [rekey, rename_keys], ids=["with settings", "directory only"])
def test_keys_that_change_during_an_apply_get_the_settings(
    office: Office, keys: BranchKeys, example_text: str, way: Callable[[Office, BranchKeys], None], rounds: int
) -> None:
    more = example_text.replace("dr.anbu: doctor", "dr.anbu: doctor, dr.late: doctor")
    the_plan = office.plan(more)
    changed = [BranchKeys.generate() for _ in range(rounds)]
    slow = Meanwhile(office, *[partial(way, office, new) for new in changed])
    done = apply(replace(office.desk, store=slow), the_plan)
    assert not done.after
    settings = told(office, changed[-1])
    assert "dr.late" in {member.login for member in settings.staff}
    assert told(office, keys).version < settings.version, "the former keys do not open them"
    assert [each.login for each in done.invitations] == ["dr.late"], "invited once, and the code is told"


def test_a_branch_that_is_revoked_meanwhile_gets_none(office: Office, keys: BranchKeys, example_text: str) -> None:
    more = example_text.replace("dr.anbu: doctor", "dr.anbu: doctor, dr.late: doctor")
    the_plan = office.plan(more)
    revoke(office.desk, "kongu", ["erode"])
    community = office.found().keys
    assert community is not None
    with pytest.raises(ProvisionError, match="erode is not in the directory any more"):
        publish_settings(office.desk.store, community, "kongu", "erode", [("dr.late", "doctor")], [])
    assert told(office, keys).version == 1
    apply(office.desk, the_plan)
    assert told(office, keys).version == 1


@pytest.mark.parametrize("sealed_to", [BranchKeys.generate().public.seal, ""], ids=["others", "unknown"])
def test_a_plan_notices_settings_that_the_branch_cannot_open(office: Office, keys: BranchKeys, sealed_to: str) -> None:
    """As an apply before left them, which did not look, or one that died between directory and settings."""
    community, before = office.found().keys, told(office, keys)
    assert community is not None
    assert before.sealed_to == keys.public.seal
    recipients = [sealed_to or keys.public.seal, community.seal.public]
    wrong = replace(before, version=2, sealed_to=sealed_to)
    all_settings.publish(office.desk.store, wrong, community.sign, recipients)
    the_plan = office.plan()
    assert [(step.kind, step.key, [change.field for change in step.changes]) for step in the_plan] == [
        ("settings", "erode", ["sealed_to_its_keys"])
    ]
    done = office.apply()
    assert not done.after
    assert done.invitations == (), "those that people have go on to hold"
    after = told(office, keys)
    assert (after.version, after.staff, after.sealed_to) == (3, before.staff, keys.public.seal)


def test_an_enrolment_that_was_cut_off_is_made_good_by_the_next(office: Office, keys: BranchKeys) -> None:
    """The directory has the new keys, and its admin died before the settings were sealed to them."""
    community, new = office.found().keys, BranchKeys.generate()
    assert community is not None
    before = told(office, keys)
    rekey(office, new)
    old = replace(before, version=told(office, new).version + 1)
    all_settings.publish(office.desk.store, old, community.sign, [keys.public.seal, community.seal.public])
    enrol(office.desk, office.community)
    assert told(office, new).version == old.version + 1
    assert not office.plan()
