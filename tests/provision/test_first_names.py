"""A branch that is called otherwise: it keeps its archive, its keys and its patients, for it keeps its first name."""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from appliance.boot.archive_disk import claim
from cli.acceptance_image import acceptance_image
from cli.demo.branch import Branch, Session
from cli.verify import logged_in
from emulator.faults import Faults
from exchange.keys import BranchKeys
from provision.applying.adopt import adopt
from provision.declaring.reading import parse
from provision.enrolling.enrolment import enrol, wait_until_ready
from provision.enrolling.listing import listed
from provision.errors import Blocked, NotFinished
from provision.fleet.branch_status import statuses_of
from provision.fleet.visitor import AE_TITLE, visiting
from provision.kinds.machine import declared_machine
from tests.provision.renaming import called
from tests.provision.reporting import report, vm_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from provision.declaring.community import Community
    from provision.fleet.branch_status import BranchStatus
    from tests.provision.conftest import Office


def test_the_archive_of_a_renamed_branch_is_opened(tmp_path: Path, example_text: str) -> None:
    def context(community: Community, name: str) -> dict[str, str]:
        return {entry.name: str(entry.value) for entry in declared_machine(community, name)["context"]}

    claim(tmp_path, context(parse(example_text), "erode"))
    renamed = context(parse(called(example_text, "erode-town")), "erode-town")
    claim(tmp_path, renamed)
    assert renamed["SET_HOSTNAME"] == "erode-town", "what people see is the new name"


def test_nothing_of_a_renamed_branch_is_made_anew(enrolled: Office, example_text: str) -> None:
    text = called(example_text, "erode-town")
    before = enrolled.found()
    steps = list(enrolled.plan(text))
    assert {step.action for step in steps} == {"update"}
    assert {step.key for step in steps} == {"erode-town"}
    assert not enrolled.apply(text).after
    now = enrolled.found()
    assert now.view.appliances["erode-town"].id == before.view.appliances["erode"].id
    assert now.view.published == before.view.published, "nobody has to be told anything"
    assert now.view.appliances["erode-town"].name == "kongu.erode-town"
    assert enrolled.plan(text).to_json() == []
    assert next(statuses_of(parse(text), now)).enrolled


def test_a_renamed_branch_is_told_its_settings_by_its_keys(enrolled: Office, example_text: str) -> None:
    text = called(example_text, "erode-town")
    enrolled.apply(text)
    more = text.replace("dr.anbu: doctor", "dr.anbu: doctor, dr.mani: doctor", 1)
    made = enrolled.apply(more)
    assert [(each.branch, each.login) for each in made.invitations] == [("erode-town", "dr.mani")]
    assert not made.after
    assert "dr.mani" in {each.login for each in enrolled.found().view.published.settings["erode"].staff}
    rules = more.replace("{from: erode-town, to: [salem, karur]}", "{from: erode-town, to: [karur]}")
    assert not enrolled.apply(rules).after
    directory = enrolled.found().view.published.directory
    assert directory is not None
    assert directory.may_refer("erode", "karur")
    assert not directory.may_refer("erode", "salem")
    assert {each.name: each.state for each in listed(enrolled.desk, parse(text)).branches}["erode-town"] == "enrolled"


def test_other_keys_of_a_renamed_branch_need_the_console(enrolled: Office, example_text: str) -> None:
    text = called(example_text, "erode-town")
    enrolled.apply(text)
    new = BranchKeys.generate()
    number = vm_of(enrolled, "erode-town")
    report(enrolled, "erode-town", new, vm=number, as_branch="erode")
    refused = enrol(enrolled.desk, parse(text)).refused["erode-town"]
    assert f"--rekey {new.public.fingerprint}" in refused
    again = enrol(enrolled.desk, parse(text), rekey={"erode-town": new.public.fingerprint})
    assert not again.refused
    directory = enrolled.found().view.published.directory
    assert directory is not None
    assert directory.branch("erode").keys == new.public


def test_a_file_that_forgets_the_first_name_is_refused(enrolled: Office, example_text: str) -> None:
    enrolled.apply(called(example_text, "erode-town"))
    before = enrolled.found().pools.nodes
    forgotten = called(example_text, "erode-town", was="")
    with pytest.raises(Blocked, match=r"branch erode-town was made as erode.*write `was: erode` into it"):
        enrolled.apply(forgotten)
    names = [{node.id: node.name for node in pool["image"]} for pool in (before, enrolled.found().pools.nodes)]
    assert names[0] == names[1]


def test_a_branch_is_renamed_again_and_back_by_its_first_name(enrolled: Office, example_text: str) -> None:
    vm = vm_of(enrolled, "erode")
    enrolled.apply(called(example_text, "erode-town"))
    with pytest.raises(Blocked, match="write `was: erode` into it"):
        enrolled.apply(called(example_text, "erode-city", was="erode-town"))
    assert not enrolled.apply(called(example_text, "erode-city")).after
    assert vm_of(enrolled, "erode-city") == vm
    assert not enrolled.apply(example_text).after
    assert vm_of(enrolled, "erode") == vm
    assert not enrolled.plan(), "as it was"


#: Every call that a renaming makes, of which each may be refused once.
CALLS = (
    *(f"{api}.{what}" for api in ("secgroup", "vn", "vdc", "image", "template") for what in ("rename", "update")),
    *("vm.rename", "vm.updateconf", "group.update"),
)


@pytest.mark.parametrize("call", CALLS)
def test_a_renaming_that_was_cut_off_is_finished_and_nothing_made_anew(
    office: Office, example_text: str, call: str
) -> None:
    office.apply()
    office.until_running()
    vm = vm_of(office, "erode")
    archive = dict(office.found().view.ours("archive"))["erode"].id
    for name in ("erode-town", "erode-city", "erode"):  # another name, another again, and back
        text = called(example_text, name, was="erode" if name != "erode" else "")
        for which in (f"{call}:2048", f"{call}:2048@2"):
            office.embedded.faults = Faults([which])
            with suppress(NotFinished):
                office.apply(text)
        office.embedded.faults = Faults()
        left = office.plan(text)
        assert not left.obstacles
        assert {step.action for step in left} <= {"update"}
        assert not office.apply(text).after
        assert vm_of(office, name) == vm
        assert dict(office.found().view.ours("archive"))[name].id == archive


def test_an_archive_is_known_by_the_template_that_names_it(office: Office) -> None:
    """Whatever its group's admin makes of its mark and its name, and into whichever group somebody puts it."""
    office.apply()
    office.until_running()
    archive = dict(office.found().view.ours("archive"))["erode"].id
    office.raw("image.unlock", archive)
    office.raw("image.rename", archive, "theirs")
    office.raw("image.update", archive, 'GURNEY_KEY="salem"', 1)
    assert {(step.action, step.ref.kind) for step in office.plan()} == {("update", "archive")}
    assert not office.apply().after
    office.raw("image.unlock", archive)
    office.raw("image.chown", archive, -1, office.found().view.groups["salem"].id)
    assert {(step.action, step.ref.kind) for step in office.plan()} == {("update", "archive")}
    assert not office.apply().after
    assert dict(office.found().view.ours("archive"))["erode"].id == archive


def test_no_archive_is_made_beside_one_that_may_be_the_branchs(office: Office) -> None:
    """Its mark and its name are another's, and no template names it any more."""
    office.apply()
    office.until_running()
    now = office.found().view
    archive, template = dict(now.ours("archive"))["erode"], dict(now.ours("template"))["erode"]
    office.raw("image.unlock", archive.id)
    office.raw("image.rename", archive.id, "theirs")
    office.raw("image.update", archive.id, 'GURNEY_KEY="salem"', 1)
    office.raw("template.delete", template.id, False)
    assert f"image theirs (id {archive.id})" in " ".join(office.plan().obstacles)
    with pytest.raises(Blocked, match=f"gurney adopt archive {archive.id} --as erode"):
        office.apply()
    adopt(office.desk, office.community, "archive", str(archive.id), "erode")
    assert not office.apply().after
    assert dict(office.found().view.ours("archive"))["erode"].id == archive.id


def test_a_renamed_branch_whose_vdc_is_lost_is_known_by_its_group(office: Office, example_text: str) -> None:
    text = called(example_text, "erode-town")
    office.apply()
    office.until_running()
    office.apply(text)
    office.raw("vdc.delete", office.found().view.vdcs["erode-town"].id)
    assert {(step.action, step.kind) for step in office.plan(text) if step.action != "update"} == {("create", "vdc")}
    assert not office.apply(text).after


@contextmanager
def visited(office: Office, community: Community) -> Iterator[dict[str, tuple[BranchStatus, Session]]]:
    """By branch, how it is and a visitor's session."""
    with ExitStack() as stack:
        now = office.found()
        directory = now.view.published.directory
        assert directory is not None
        visitors = stack.enter_context(visiting(office.desk, community, "127.0.0.1"))
        statuses = {each.name: each for each in statuses_of(community, now)}
        sessions = {}
        for name, status in statuses.items():
            branch = Branch(name, status.http, directory.authority, directory.revocations)
            sessions[name] = (status, logged_in(branch, visitors[name]))
            stack.callback(sessions[name][1].client.close)
        yield sessions


def send(status: BranchStatus, image: Path) -> None:
    title, _, place = status.dicom.partition("@")
    host, _, port = place.rpartition(":")
    subprocess.run(["storescu", "-R", "-aet", AE_TITLE, "-aec", title, host, port, image], check=True)


def refer(session: Session, patient: str, to: str) -> None:
    """Refer a patient and wait until all has arrived."""
    number = session.refer(patient, to)

    def arrived() -> bool:
        told = session.get(f"/api/referrals/{number}")
        assert not told["refused"], told
        return bool(told["arrived"] == told["total"] > 0)

    session.until(arrived, f"{patient} at {to}", 60)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_renamed_branch_serves_with_its_patients(
    new_office: Callable[..., Office], example_text: str, tmp_path: Path
) -> None:
    office = new_office(driver="process")
    office.apply()
    assert wait_until_ready(office.desk, office.community, 120).ready
    with visited(office, office.community) as branches:
        send(branches["erode"][0], acceptance_image(tmp_path / "1.dcm", "OURS-1"))
        refer(branches["erode"][1], "OURS-1", "salem")
        send(branches["salem"][0], acceptance_image(tmp_path / "2.dcm", "THEIRS-1"))
    before = office.found().view.published.enrolled["erode"]
    text = called(example_text, "erode-town")
    assert not office.apply(text).after
    assert wait_until_ready(office.desk, parse(text), 120).ready
    after = office.found().view.published.enrolled["erode"]
    assert (after.keys, after.vm_id) == (before.keys, before.vm_id)
    with visited(office, parse(text)) as branches:
        status, own = branches["erode-town"]
        assert own.patients() == ["OURS-1"]
        refer(own, "OURS-1", "karur")
        refer(branches["salem"][1], "THEIRS-1", "erode")
        assert own.patients() == ["OURS-1", "THEIRS-1"]
        assert branches["karur"][1].patients() == ["OURS-1"]
        send(status, acceptance_image(tmp_path / "3.dcm", "OURS-2"))
        refer(own, "OURS-2", "salem")
        issuers = {study["patient_id"]: study["issuer"] for study in branches["salem"][1].get("/api/studies")}
        assert issuers == {"OURS-1": "erode", "OURS-2": "erode", "THEIRS-1": "salem"}, (
            "who gave a number stays the same"
        )
