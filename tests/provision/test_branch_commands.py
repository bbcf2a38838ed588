"""`gurney branch`: enrolled over SSH where there is no OneGate, revoked, and listed; with real appliances and sshds."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from cli.main import exit_of
from exchange import settings as all_settings
from exchange.keys import BranchKeys, load_keys, save_keys
from exchange.tls_key import TlsKey
from provision.enrolling.enrolment import enrol, wait_until_ready
from tests.provision.certified import report as report_with_request
from tests.provision.conftest import EXAMPLE
from tests.provision.guests import Guests
from tests.provision.reporting import report
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.provision.branch_desk import BranchDesk


by_ssh = pytest.mark.skipif(os.geteuid() != 0, reason="a VM is visited as root")


@pytest.fixture
def without_onegate(new_desk: Callable[..., BranchDesk], tmp_path: Path) -> Iterator[tuple[BranchDesk, Guests]]:
    """Three appliances that nobody enrols by itself; two of them answer over SSH."""
    desk = new_desk(driver="process", onegate=False)
    desk.office.until_running()
    guests = Guests(desk.office, tmp_path / "guests")
    for branch in ("erode", "salem"):
        until((guests.vm(branch) / "disk.1" / "keys" / "branch-keys.json").exists)
    with guests.serving("erode", "salem"):
        yield desk, guests


@by_ssh
@pytest.mark.timeout(300)
def test_first_keys_are_taken_over_ssh_and_one_that_fails_fails_alone(
    without_onegate: tuple[BranchDesk, Guests],
) -> None:
    desk, guests = without_onegate
    code, _, err = desk.run("enrol", "erode", *guests.options())
    assert code == 4
    assert "nobody has compared yet" in err, "no blind trust"
    code, out, err = desk.run("enrol", "erode", "salem", "karur", *guests.options("erode", "salem"))
    assert code == 4
    assert "karur" in err.splitlines()[-1]
    assert "dr.anbu" in out, "its people are invited"
    keys = {branch: load_keys(guests.vm(branch) / "disk.1" / "keys") for branch in ("erode", "salem")}
    assert {each.name: each.keys for each in desk.directory().branches} == {n: k.public for n, k in keys.items()}
    assert keys["erode"].public.fingerprint in out
    assert not desk.office.plan(), "an enrolment is no drift"
    code, out, _ = desk.run("enrol", "erode", "salem", "--json", *guests.options())
    told = json.loads(out)
    assert (code, told["directory_version"], told["invitations"], told["failures"]) == (0, 1, [], {}), "again: the same"


@by_ssh
@pytest.mark.timeout(300)
def test_changed_keys_are_taken_by_the_fingerprint_that_an_admin_read(
    without_onegate: tuple[BranchDesk, Guests],
) -> None:
    desk, guests = without_onegate
    assert desk.run("enrol", "erode", "--rekey", "AAAA-AAAA-AAAA-AAAA-AAAA", *guests.options("erode"))[0] == 4
    assert desk.office.found().view.published.directory is None, "nor as the first ones"
    assert desk.run("enrol", "erode", *guests.options("erode"))[0] == 0
    folder = guests.vm("erode") / "disk.1" / "keys"
    (folder / "branch-keys.json").unlink()
    lost_and_made_anew = BranchKeys.generate()
    save_keys(folder, lost_and_made_anew)
    code, _, err = desk.run("enrol", "erode", *guests.options())
    shown = lost_and_made_anew.public.fingerprint
    assert code == 4
    assert f"--rekey {shown}" in err.replace("\n", " ")
    assert desk.run("enrol", "erode", "--rekey", "AAAA-AAAA-AAAA-AAAA-AAAA", *guests.options())[0] == 4
    assert desk.directory().branch("erode").keys != lost_and_made_anew.public
    assert desk.run("enrol", "erode", "--rekey", f"erode={shown}", *guests.options())[0] == 0
    assert desk.directory().branch("erode").keys == lost_and_made_anew.public
    assert desk.directory().branch("erode").previous == ()


@by_ssh
@pytest.mark.timeout(300)
def test_a_machine_with_another_host_key_is_not_asked(without_onegate: tuple[BranchDesk, Guests]) -> None:
    desk, guests = without_onegate
    stranger = guests.fingerprint("salem")
    code, _, err = desk.run("enrol", "erode", *guests.options(), "--host-key", stranger)
    assert code == 4
    assert "this is another machine" in err
    assert desk.office.found().view.published.directory is None


def test_a_vm_that_apply_did_not_make_is_not_asked(new_desk: Callable[..., BranchDesk]) -> None:
    """Whatever it bears as marks: what counts is its owner, and what it was made from."""
    desk = new_desk(onegate=False)
    number = desk.office.found().view.appliances["karur"].id
    desk.office.raw("vm.chown", number, 1, -1)
    code, _, err = desk.run("enrol", "karur")
    assert code == 4
    assert "no VM that `gurney apply` made" in err


def test_wrong_names_are_told_before_anything_is_asked(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk(onegate=False)
    code, _, err = desk.run("enrol", "erode", "salem", "--host-key", "SHA256:abc")
    assert code == 2
    assert "say --host-key BRANCH=" in err
    assert desk.run("enrol", "erode", "--rekey", "salem=AAAA")[0] == 2
    code, _, err = desk.run("enrol", "nowhere")
    assert code == 4
    assert "declares no such branch" in err


def test_by_onegate_nobody_is_visited(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk()
    keys = BranchKeys.generate()
    report(desk.office, "erode", keys)
    assert desk.run("enrol", "erode")[0] == 0
    assert desk.directory().branch("erode").keys == keys.public
    assert desk.run("enrol", "salem")[0] == 4, "it has reported nothing, and answers no SSH"


def test_a_fingerprint_that_is_not_theirs_fails_both_commands(new_desk: Callable[..., BranchDesk]) -> None:
    desk, first, other = new_desk(), BranchKeys.generate(), BranchKeys.generate()
    report(desk.office, "erode", first)
    assert desk.run("enrol", "erode")[0] == 0
    report(desk.office, "erode", other)
    where = ["-f", str(EXAMPLE), "--exchange", str(desk.office.exchange)]
    wrong = "erode=AAAA-AAAA-AAAA-AAAA-AAAA"
    for words in (["branch", "enrol", *where, "erode"], ["apply", *where, "--yes"]):
        assert exit_of([*words, "--rekey", wrong]) == 4
        said = " ".join(desk.capsys.readouterr().err.split())
        assert "not enrolled: erode: " in said
        assert other.public.fingerprint in said
    assert desk.directory().branch("erode").keys == first.public


def test_a_revoked_branch_is_out_and_gets_no_settings(new_desk: Callable[..., BranchDesk], example_text: str) -> None:
    desk = new_desk()
    keys = {branch: BranchKeys.generate() for branch in ("erode", "salem")}
    for branch, each in keys.items():
        report(desk.office, branch, each)
    enrol(desk.office.desk, desk.office.community)
    assert desk.run("revoke", "erode", "--yes")[0] == 0
    directory = desk.directory()
    assert (directory.version, directory.find("erode").revoked) == (2, True)  # type: ignore[union-attr]
    assert not any(directory.may_refer(*pair) for pair in directory.referrals if "erode" in pair)
    assert directory.may_refer("salem", "karur") is False
    assert desk.run("revoke", "erode", "--yes")[0] == 0
    assert desk.directory().version == 2, "revoking again changes nothing"
    assert not desk.office.plan(), "and it is no drift"
    more = example_text.replace("dr.anbu: doctor", "dr.anbu: doctor, dr.late: doctor")
    assert [step.kind for step in desk.office.plan(more)] == []
    community = desk.office.found().keys
    assert community is not None
    told = all_settings.latest(desk.office.desk.store, "kongu", "erode", community.trusted, keys["erode"].seal).value
    assert (told.version, "dr.late" in {member.login for member in told.staff}) == (1, False)


def test_a_revoked_branch_stays_out_until_its_fingerprint_is_typed(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk()
    keys = BranchKeys.generate()
    report(desk.office, "erode", keys)
    assert desk.run("enrol", "erode")[0] == 0
    assert desk.run("revoke", "erode", "--yes")[0] == 0
    code, _, err = desk.run("enrol", "erode")
    assert code == 4
    assert "revoked" in err
    assert desk.run("enrol", "erode", "--rekey", keys.public.fingerprint)[0] == 0
    assert desk.directory().branch("erode").keys == keys.public


@pytest.mark.timeout(300)
def test_nobody_waits_for_a_revoked_branch(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk(driver="process")
    assert wait_until_ready(desk.office.desk, desk.office.community, 120).ready
    assert desk.run("revoke", "karur", "--yes")[0] == 0
    enrolment = wait_until_ready(desk.office.desk, desk.office.community, 120)
    assert enrolment.ready
    (karur,) = [branch for branch in enrolment.branches if branch.name == "karur"]
    assert (karur.ready, karur.revoked, karur.enrolled) == (False, True, False)
    assert "revoked" in karur.words


def test_what_the_directory_does_not_name_cannot_be_revoked(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk()
    assert desk.run("revoke", "erode", "--yes")[0] == 4
    report(desk.office, "erode", BranchKeys.generate())
    assert desk.run("enrol", "erode")[0] == 0
    code, _, err = desk.run("revoke", "erode", "salem", "--yes")
    assert code == 4
    assert "salem" in err
    assert not desk.directory().branch("erode").revoked, "all or none"


def test_an_entry_that_was_meant_before_the_revocation_does_not_undo_it(new_desk: Callable[..., BranchDesk]) -> None:
    """Two admins: one revokes while the other is about to publish what he read before."""
    from provision.enrolling.published import publish_directory

    desk = new_desk()
    report(desk.office, "erode", BranchKeys.generate())
    assert desk.run("enrol", "erode")[0] == 0
    stale, keys = desk.directory().branch("erode"), desk.office.found().keys
    assert keys is not None
    assert desk.run("revoke", "erode", "--yes")[0] == 0
    publish_directory(desk.office.desk.store, keys, "kongu", [stale], desk.directory().referrals)
    entry = desk.directory().find("erode")
    assert entry is not None
    assert entry.revoked


def test_the_list_tells_who_is_in(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk()
    keys = BranchKeys.generate()
    for branch in ("erode", "salem"):
        report(desk.office, branch, keys if branch == "erode" else BranchKeys.generate())
    enrol(desk.office.desk, desk.office.community)
    desk.run("revoke", "salem", "--yes")
    code, out, _ = desk.run("list", "--json")
    assert code == 0
    told = {each["name"]: each for each in json.loads(out)["branches"]}
    assert {name: each["state"] for name, each in told.items()} == {
        "erode": "enrolled",
        "karur": "not enrolled",
        "salem": "revoked",
    }
    assert told["erode"]["fingerprint"] == keys.public.fingerprint
    assert keys.public.fingerprint in desk.run("list")[1]


def test_the_authority_s_certificate_is_printed_and_written(
    new_desk: Callable[..., BranchDesk], tmp_path: Path
) -> None:
    desk = new_desk()
    assert desk.run("authority")[0] == 4, "there is none before a branch is enrolled"
    report_with_request(desk.office, "erode", BranchKeys.generate(), TlsKey.generate())
    assert desk.run("enrol", "erode")[0] == 0
    written = tmp_path / "authority.pem"
    code, out, err = desk.run("authority", "--json", "--output", str(written))
    told = json.loads(out)
    assert (code, written.read_text()) == (0, told["pem"])
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(written), "-noout", "-fingerprint", "-sha256"], capture_output=True, text=True
    ).stdout
    assert shown.strip().endswith(told["fingerprint_sha256"])
    assert told["fingerprint_sha256"] in err
    _, out, _ = desk.run("list", "--json")
    listed = json.loads(out)
    assert listed["authority_fingerprint"] == told["fingerprint_sha256"]
    assert {each["name"]: bool(each["certificate_until"]) for each in listed["branches"]} == {
        "erode": True,
        "karur": False,
        "salem": False,
    }


def test_a_command_tells_programs_whom_it_did_not_reach(new_desk: Callable[..., BranchDesk]) -> None:
    desk = new_desk()
    desk.capsys.readouterr()
    where = ["-f", str(EXAMPLE), "--exchange", str(desk.office.exchange)]
    assert exit_of(["appliance", "exec", *where, "--json", "--port", "9", "-b", "erode", "uptime"]) == 4
    told = json.loads(desk.capsys.readouterr().out)
    assert list(told) == ["kongu.erode"]
    assert "kongu.erode" in told["kongu.erode"]["error"]
