"""`--rollback` undoes what a failed new branch had so far, and nothing else; also when it is interrupted."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from emulator.faults import Faults
from exchange.keys import BranchKeys
from provision.applying.apply import apply
from provision.declaring.reading import parse
from provision.desk import Desk
from provision.enrolling.enrolment import enrol
from provision.errors import CloudChanged, CloudUnreachable, NotFinished
from provision.planning.plan import plan
from tests.provision.mortal import ALL, ONE_BRANCH, MortalCloud
from tests.provision.reporting import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office

#: What makes the last of three branches fail, early, in the middle and late.
FAULTS = ("group.quota:2048", "vdc.addgroup:2048", "vn.allocate:2048", "image.lock:2048", "template.instantiate:2048")


def things(office: Office) -> dict[str, list[tuple[int, str]]]:
    """Everything in the cloud, by pool: ids and names."""
    nodes = office.found().pools.nodes
    return {pool: [(node.id, node.name or node.text("STRING")) for node in nodes[pool]] for pool in nodes}


def one_then(office: Office, text: str) -> None:
    """One branch stands; then more are declared."""
    apply(office.desk, plan(parse(ONE_BRANCH), office.found()))
    office.until_running()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_new_branch_that_fails_is_taken_away_again(office: Office, fault: str) -> None:
    one_then(office, ONE_BRANCH)
    before = things(office)
    office.embedded.faults = Faults([fault])
    with pytest.raises(NotFinished, match=r"karur, salem: \d+ things were taken away again"):
        office.apply(rollback=True)
    assert things(office) == before
    assert [path.name for path in (office.exchange / "out").iterdir()] == ["erode"]
    office.embedded.faults = Faults()
    assert not office.apply(rollback=True).after


def test_an_os_image_is_no_branch_s_though_its_key_is_a_branch_s_name(office: Office, example_text: str) -> None:
    """The key of an OS image is eight hexadecimal digits, which may be what a branch is called."""
    (name,) = {step.key for step in office.plan() if step.kind == "appliance-image"}
    one_then(office, ONE_BRANCH)
    before = things(office)
    office.embedded.faults = Faults(["image.lock:2048"])
    text = example_text.replace("  karur:", f"  {name}:").replace("karur", name)
    with pytest.raises(NotFinished, match=rf"{name}.* things were taken away again"):
        office.apply(text, rollback=True)
    assert things(office) == before


def test_a_new_branch_that_succeeds_stays_when_another_fails(office: Office) -> None:
    one_then(office, ONE_BRANCH)
    office.embedded.faults = Faults(["vn.allocate:2048@2"])
    with pytest.raises(NotFinished, match="things were taken away again"):
        office.apply(rollback=True)
    branches = sorted(office.found().view.groups)
    assert branches in (["erode", "karur"], ["erode", "salem"])
    left = {step.key for step in office.plan() if step.kind == "group"}
    assert left == {"erode", "karur", "salem"} - set(branches)


def test_without_it_what_was_made_stays(office: Office) -> None:
    one_then(office, ONE_BRANCH)
    office.embedded.faults = Faults(["template.instantiate:2048"])
    with pytest.raises(NotFinished):
        office.apply()
    assert sorted(office.found().view.groups) == ["erode", "karur", "salem"]


def test_a_branch_that_stood_before_is_never_undone(office: Office, example_text: str) -> None:
    """Its template is to change and fails: it keeps all that it has."""
    office.apply()
    office.until_running()
    before = things(office)
    office.embedded.faults = Faults(["template.update:2048"])
    with pytest.raises(NotFinished) as caught:
        office.apply(example_text.replace("memory: 4GiB, archive", "memory: 3GiB, archive"), rollback=True)
    assert "taken away" not in str(caught.value)
    assert {**things(office)} == before


def die_while(office: Office, last: int) -> bool:
    """Apply in a process of its own that fails, rolls back, and dies at a changing call; whether it died."""
    child = os.fork()
    if child == 0:
        try:
            cloud = MortalCloud(office.embedded.endpoint, office.embedded.session, last=last, before=False)
            desk = Desk(cloud, office.desk.store, office.desk.identity)
            apply(desk, plan(office.community, office.found()), rollback=True)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("last", [3, 20, 40, 52, 56, 60, 64])
def test_one_that_is_killed_is_finished_by_the_next_apply(new_office: Callable[..., Office], last: int) -> None:
    office = new_office()
    one_then(office, ONE_BRANCH)
    before = things(office)
    office.embedded.faults = Faults(["template.instantiate:2048"])
    assert die_while(office, last)
    office.embedded.faults = Faults()
    undone: Any = None
    try:
        office.apply(allow=ALL)
    except CloudChanged as error:
        undone = error
    if undone is not None:
        assert "a rollback that was interrupted is finished" in str(undone)
        assert things(office) == before
        office.apply()
    assert not office.plan()
    assert undone is not None or last < 20


CHANGES = {"a new doctor": ("{dr.mala: doctor", "{dr.ravi: doctor"), "a new gateway": ("10.20.2.1,", "10.20.2.254,")}


@pytest.mark.parametrize("change", CHANGES)
def test_one_that_dies_when_the_new_branch_is_whole_never_costs_it(
    office: Office, example_text: str, change: str
) -> None:
    """All is made and read back, only the Document stays; weeks later something else of the branch is to change."""
    one_then(office, ONE_BRANCH)
    office.embedded.faults = Faults(["document.unlock:drop"])
    with pytest.raises(CloudUnreachable):
        office.apply(rollback=True)
    office.embedded.faults = Faults()
    assert office.found().undoing == {"karur", "salem"}
    office.until_running()
    if change == "a new doctor":
        report(office, "salem", BranchKeys.generate())
        assert enrol(office.desk, office.community).branches
    before = things(office)
    text = example_text.replace(*CHANGES[change])
    assert {step.key for step in office.plan(text)} == {"salem"}
    assert not [words for words in office.plan(text).conditions if "--rollback" in words]
    assert not office.apply(text, take_over=True).after
    assert {**things(office), "document": []} == {**before, "document": []}
    assert office.found().undoing == frozenset()


def test_an_archive_is_lost_with_leave_alone(office: Office) -> None:
    """A rollback that dies when archives stand, of branches that never had a VM: told, and then they are finished."""
    one_then(office, ONE_BRANCH)
    office.embedded.faults = Faults(["template.instantiate:2048", "document.unlock:drop", "image.unlock:2048"])
    with pytest.raises(NotFinished, match="rolling back"):
        office.apply(rollback=True)
    office.embedded.faults = Faults()
    archives = {name: node.id for name, node in office.found().view.ours("archive")}
    assert set(archives) == {"erode", "karur", "salem"}
    told = [words for words in office.plan().conditions if "An `apply --rollback`" in words]
    assert len(told) == 2
    assert all("--allow-destroy" in words for words in told)
    assert not office.apply(take_over=True).after
    assert {name: node.id for name, node in office.found().view.ours("archive")} == archives
    assert not office.plan()


def test_the_command_says_what_was_taken_away(office: Office, monkeypatch: Any, capsys: Any) -> None:
    from cli.main import exit_of

    office.enter(monkeypatch)
    file = office.folder / "community.yaml"
    file.write_text(ONE_BRANCH)
    office.embedded.faults = Faults(["template.instantiate:2048"])
    options = ["-f", str(file), "--exchange", str(office.exchange), "--yes", "--rollback"]
    assert exit_of(["apply", *options]) == 4
    assert "erode: " in (err := capsys.readouterr().err)
    assert "things were taken away again" in err
    assert not replace(office, community=parse(ONE_BRANCH)).found().view.groups
