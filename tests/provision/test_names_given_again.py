"""Names that one branch has had and another gets: each keeps its archive, its people and its settings."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from emulator.faults import Faults
from exchange.keys import BranchKeys
from provision.applying.apply import apply
from provision.applying.destroy import plan_to_destroy
from provision.declaring.reading import parse
from provision.enrolling.enrolment import enrol
from provision.enrolling.listing import listed
from provision.enrolling.revocation import revoke
from provision.errors import Blocked, NotFinished
from tests.provision.renaming import called
from tests.provision.reporting import report, vm_of

if TYPE_CHECKING:
    from tests.provision.conftest import Office


@pytest.mark.parametrize("call", ["template.update", "image.update"])
def test_a_name_in_between_that_a_new_branch_gets_takes_nothing_with_it(
    office: Office, example_text: str, call: str
) -> None:
    office.apply()
    office.until_running()
    vm, archive = vm_of(office, "erode"), dict(office.found().view.ours("archive"))["erode"].id
    office.apply(called(example_text, "erode-town"))
    text = called(example_text, "erode-city")
    salem = text[text.index("  salem:") : text.index("  karur:")].replace("10.20.2.", "10.20.9.").replace("102", "109")
    text = text.replace("  salem:", salem.replace("salem:", "erode-town:").replace("SALEM", "TOWN") + "  salem:", 1)
    office.embedded.faults = Faults([f"{call}:2048"])
    with suppress(NotFinished):
        office.apply(text)
    office.embedded.faults = Faults()
    left = office.plan(text)
    assert not left.obstacles
    assert not [
        step for step in left if step.action == "delete" or (step.branch, step.action) == ("erode-city", "create")
    ]
    assert not office.apply(text).after
    assert vm_of(office, "erode-city") == vm != vm_of(office, "erode-town")
    assert dict(office.found().view.ours("archive"))["erode-city"].id == archive


#: Calls that make a branch, of which each may be refused.
MAKING = (
    "group.quota",
    "vdc.allocate",
    "vdc.addgroup",
    "vn.chown",
    "image.chown",
    "image.lock",
    "template.instantiate",
)


@pytest.mark.parametrize("call", MAKING)
def test_a_new_branch_with_a_former_name_that_failed_is_finished_or_undone(
    office: Office, example_text: str, call: str
) -> None:
    text = called(example_text, "erode-town")
    office.embedded.faults = Faults([f"{call}:2048"])
    with pytest.raises(NotFinished, match=r"things were taken away again"):
        office.apply(text, rollback=True)
    assert not office.found().view.groups
    pools = office.found().pools.nodes
    assert not [node for pool in ("image", "vdc", "vn") for node in pools[pool] if "erode" in node.name]
    assert not list((office.exchange / "out").iterdir()), "also the folders"
    with pytest.raises(NotFinished):
        office.apply(text)
    office.embedded.faults = Faults()
    left = office.plan(text)
    assert not left.obstacles
    assert {step.action for step in left} <= {"create", "update"}
    assert not office.apply(text).after


def without_karur(text: str) -> str:
    """The example without its third branch."""
    rules = text[text.index("referrals:") :].replace(", karur]", "]")
    return text[: text.index("  karur:")] + rules.replace("  - {from: karur, to: [erode, salem]}\n", "")


@pytest.fixture
def takers(enrolled: Office, example_text: str) -> tuple[Office, str]:
    """An office in which erode is to get the name of a branch that was taken away, and the file that says so."""
    smaller = without_karur(example_text)
    enrolled.apply(smaller, allow=frozenset({"karur"}))
    return enrolled, called(smaller, "karur")


def test_who_gets_the_name_of_a_branch_that_is_gone_has_its_own_settings(takers: tuple[Office, str]) -> None:
    office, text = takers
    assert {(step.action, step.key) for step in office.plan(text)} == {("update", "karur")}
    assert not office.apply(text).after
    fewer = text.replace("dr.anbu: doctor", "dr.mani: doctor", 1)
    assert [(step.kind, step.key) for step in office.plan(fewer)] == [("settings", "karur")]
    assert not office.apply(fewer).after
    published = office.found().view.published.settings
    assert {each.login for each in published["erode"].staff} & {"dr.anbu", "dr.mani"} == {"dr.mani"}
    enrol(office.desk, parse(fewer))
    assert office.found().view.published.settings["erode"].version == published["erode"].version
    told = {each.name: each.state for each in listed(office.desk, parse(fewer)).branches}
    assert told == {"karur": "enrolled", "karur (former)": "revoked", "salem": "enrolled"}


def test_a_first_name_that_is_revoked_is_told_with_what_to_do(enrolled: Office, example_text: str) -> None:
    text = called(example_text, "erode-town")
    revoke(enrolled.desk, "kongu", ["erode"])
    (told,) = (words for words in enrolled.plan(text).conditions if "revoked by that name" in words)
    assert "gurney branch enrol erode-town --rekey" in told
    made = enrolled.apply(text)
    assert told in made.after.conditions
    new = BranchKeys.generate()
    report(enrolled, "erode-town", new, vm=vm_of(enrolled, "erode-town"), as_branch="erode")
    assert not enrol(enrolled.desk, parse(text), rekey={"erode-town": new.public.fingerprint}).refused
    assert not [words for words in enrolled.plan(text).conditions if "revoked" in words]


def test_a_name_that_a_branch_still_has_is_not_given_to_another(enrolled: Office, example_text: str) -> None:
    with pytest.raises(Blocked, match=r"karur, made as karur, still stands.*made as erode.*apply of its own"):
        enrolled.apply(called(without_karur(example_text), "karur"), allow=frozenset({"erode", "karur"}))


def test_a_file_with_a_former_name_makes_a_new_community(office: Office, example_text: str) -> None:
    """As after a destroy, or at another cloud."""
    text = called(example_text, "erode-town")
    assert not office.apply(text).after
    assert "erode" in office.found().view.outboxes
    assert office.found().view.groups["erode-town"].name == "kongu.erode"
    everyone = frozenset({"erode-town", "salem", "karur"})
    assert not apply(office.desk, plan_to_destroy(office.found()), allow=everyone).after
