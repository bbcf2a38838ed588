"""The front end is lost, and it is played: what appliances still do, and what a new front end has to be told."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.front_end_loss import back_up, new_front_end
from cli.main import exit_of
from exchange.stores import open_store
from provision.applying.adopt import adopt
from provision.enrolling.enrolment import wait_until_ready
from provision.planning.found import found
from provision.planning.plan import plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.desk import Desk
    from provision.planning.plan import Plan
    from tests.provision.conftest import Office


@pytest.mark.slow
def test_it_is_played_with_appliances_that_run(
    new_office: Callable[..., Office],
    example_text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    office = new_office(driver="process")
    office.apply()
    assert wait_until_ready(office.desk, office.community, 120).ready
    (office.folder / "community.yaml").write_text(example_text)
    office.enter(monkeypatch)
    where = ["-f", str(office.folder / "community.yaml"), "--exchange", str(office.exchange)]
    capsys.readouterr()
    options = ["--play", "front-end", "--state", str(office.folder / "state"), "--yes", "--json"]
    code = exit_of(["rehearse", *where, *options])
    out, err = capsys.readouterr()
    assert code in (0, None), err
    played = json.loads(out)["played"]
    assert played["silent"], "the API is to be gone while the appliances are tried"
    assert len(played["checks"]) == 3 * 6
    assert all(check["passed"] for check in played["checks"]), played["words"]
    assert played["from_backup"] == []
    made = [(step["kind"], step["key"]) for step in played["from_nothing"] if step["action"] == "create"]
    assert {("keys", ""), ("archive", "erode"), ("archive", "salem"), ("archive", "karur")} <= set(made)
    assert "the archives of erode, karur, salem would be new and empty" in played["words"]
    assert not office.embedded.power.front_end_is_lost()
    assert office.plan().to_json() == [], "the visitors are gone"


def test_a_new_front_end_takes_an_archive_over_that_was_brought_in(office: Office, tmp_path: Path) -> None:
    """The way that the play names where no backup of the database is left."""
    files = tmp_path / "empty" / "host" / "var" / "tmp"
    files.mkdir(parents=True)
    (files / "gurney-appliance.qcow2").write_bytes(bytes(1 << 20))
    (files / "erode.raw").write_bytes(b"what erode received")
    exchange = tmp_path / "empty" / "host" / "srv" / "exchange"
    exchange.mkdir(parents=True)
    with new_front_end(replace(office.desk, store=open_store(str(exchange))), tmp_path / "empty") as desk:
        assert "erode" in archives_to_make(planned(office, desk))
        text = 'NAME="brought"\nTYPE="DATABLOCK"\nPERSISTENT="YES"\nPATH="/var/tmp/erode.raw"\nSIZE="204800"'
        number = desk.cloud.call("image.allocate", text, 1)
        adopt(desk, office.community, "archive", str(number), "erode")
        assert archives_to_make(planned(office, desk)) == {"karur", "salem"}
        there = replace(office, desk=desk)
        assert not there.apply().after
        archive = next(each for ref, each in there.found().resources.items() if str(ref) == "archive erode")
        assert archive.id == number
        assert archive.spec.locked


def test_a_front_end_from_a_backup_goes_on(office: Office, tmp_path: Path) -> None:
    office.apply()
    office.until_running()
    back_up(office.folder / "state", tmp_path / "restored")
    with new_front_end(office.desk, tmp_path / "restored") as desk:
        assert planned(office, desk).to_json() == []
        there = replace(office, desk=desk)
        assert {name: vm.id for name, vm in there.found().view.appliances.items()} == {
            name: vm.id for name, vm in office.found().view.appliances.items()
        }


def planned(office: Office, desk: Desk) -> Plan:
    return plan(office.community, found(desk, office.community.community))


def archives_to_make(the_plan: Plan) -> set[str]:
    return {step.key for step in the_plan if (step.action, step.kind) == ("create", "archive")}
