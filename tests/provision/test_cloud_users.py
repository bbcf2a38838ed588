"""People of a branch with an OpenNebula account: how they get in, what they may, and what nobody can forge."""

from __future__ import annotations

import json
import logging
import stat
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cli.main import exit_of
from exchange.keys import SealingKey
from exchange.sealing import unseal
from provision.applying.adopt import adopt
from provision.applying.apply import apply
from provision.applying.destroy import plan_to_destroy
from provision.declaring.reading import parse
from provision.errors import CloudError, ProvisionError
from provision.planning.resource import Ref
from provision.planning.step import CREATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office

STAFF = "staff: {dr.anbu: doctor, r.devi: radiographer}"


@pytest.fixture
def with_admins(example_text: str) -> str:
    return example_text.replace(STAFF, f"{STAFF}\n    admins: {{anita: {{}}, babu.k: {{group_admin: true}}}}")


def credentials(office: Office) -> dict[str, Path]:
    """Account to the file that its login token lies in."""
    folder = office.desk.identity.path.parent
    return {path.name.split("-")[1]: path for path in folder.glob("credential-*")}


def test_a_person_gets_in_by_a_token_and_sets_an_own_password(
    office: Office, with_admins: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    applied = office.apply(with_admins)
    assert not applied.after
    assert office.plan(with_admins).to_json() == []
    files = credentials(office)
    assert set(files) == {"kongu.erode.anita", "kongu.erode.babu.k"}
    for account, path in files.items():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert any(str(path) in note and account in note for note in applied.notes)
        assert path.read_text().partition(":")[2].strip() not in caplog.text + "".join(applied.notes)

    anita = office.cloud_as(files["kongu.erode.anita"].read_text().strip())
    me = anita.read("user.info", -1)
    anita.call("user.passwd", me.id, "chosen-by-anita")
    anita = office.cloud_as("kongu.erode.anita:chosen-by-anita")
    assert anita.read("user.info", -1).id == me.id
    anita.call("template.allocate", 'NAME="own"\nCPU="1"\nMEMORY="64"')
    networks = [node.name for node in anita.read("vnpool.info", -2, -1, -1).children("VNET")]
    assert networks == ["kongu.erode"]
    assert not office.plan(with_admins)


def test_nobody_comes_in_before_the_branch_is_apart(office: Office, with_admins: str) -> None:
    steps = list(office.plan(with_admins))
    people = [step for step in steps if step.kind == "cloud-user"]
    assert len(people) == 2
    assert all((CREATE, Ref("vdc", "erode")) in step.after for step in people)


def test_who_administers_the_group_is_who_was_asked_for(office: Office, with_admins: str) -> None:
    office.apply(with_admins)
    group = office.found().view.groups["erode"]
    ids = {node.name: node.id for node in office.found().pools.nodes["user"]}
    assert group.ids("ADMINS") == (ids["kongu.erode.babu.k"],)
    text = with_admins.replace("{group_admin: true}", "{}").replace("anita: {}", "anita: {group_admin: true}")
    changes = {step.name: [each.field for each in step.changes] for step in office.plan(text)}
    assert changes == {"kongu.erode.anita": ["group_admin"], "kongu.erode.babu.k": ["group_admin"]}
    assert not office.apply(text).after
    assert office.found().view.groups["erode"].ids("ADMINS") == (ids["kongu.erode.anita"],)
    assert len(credentials(office)) == 2, "nobody gets another token"


def test_a_credential_is_encrypted_to_its_person(office: Office, example_text: str) -> None:
    key = SealingKey.generate()
    text = example_text.replace(STAFF, f"{STAFF}\n    admins: {{anita: {{key: {key.public}}}}}")
    office.apply(text)
    (path,) = credentials(office).values()
    assert path.suffix == ".age"
    assert "kongu.erode.anita:" not in path.read_text()
    login = unseal(path.read_bytes(), key).decode().strip()
    assert office.cloud_as(login).read("user.info", -1).name == "kongu.erode.anita"


def test_an_account_that_is_no_longer_declared_goes_and_the_group_may_follow(office: Office, with_admins: str) -> None:
    office.apply(with_admins)
    text = with_admins.replace("anita: {}, ", "")
    assert [(step.action, step.kind, step.key) for step in office.plan(text)] == [
        ("delete", "cloud-user", "erode.anita")
    ]
    assert not office.apply(text).after
    apply(office.desk, plan_to_destroy(office.found()), allow=frozenset({"erode", "salem", "karur"}))
    assert [node.name for node in office.found().pools.nodes["user"]] == ["oneadmin", "serveradmin"]


def test_drift_of_an_account_is_seen_and_undone(office: Office, with_admins: str) -> None:
    office.apply(with_admins)
    now = office.found()
    number = now.resources[next(ref for ref in now.resources if ref.key == "erode.anita")].id
    office.raw("user.addgroup", number, now.view.groups["salem"].id)
    office.raw("group.addadmin", now.view.groups["erode"].id, number)
    (step,) = office.plan(with_admins)
    assert [change.field for change in step.changes] == ["others", "group_admin"]
    assert not office.apply(with_admins).after


def test_an_account_made_by_a_group_s_admin_is_never_taken_for_another_branch_s(
    office: Office, with_admins: str
) -> None:
    """Its name and its mark can be anything; its group can only be the admin's own."""
    office.apply(with_admins)
    babu = office.cloud_as(credentials(office)["kongu.erode.babu.k"].read_text().strip())
    number = babu.call("user.allocate", "kongu.salem.eve", "secret", "core", [office.found().view.groups["erode"].id])
    mark = 'GURNEY_COMMUNITY="kongu"\nGURNEY_KIND="cloud-user"\nGURNEY_KEY="salem.eve"'
    office.cloud_as("kongu.salem.eve:secret").call("user.update", number, mark, 1)
    text = with_admins.replace("staff: {dr.mala", "admins: {eve: {}}\n    staff: {dr.mala")
    assert "Account kongu.salem.eve exists" in " ".join(office.plan(text).conditions)
    assert not office.apply(text).after
    assert office.found().pools.by_id["user"][number].number("GID") == office.found().view.groups["erode"].id


def test_an_account_of_the_cloud_s_owner_is_left_alone(office: Office, with_admins: str) -> None:
    office.apply(with_admins)
    group = office.found().view.groups["erode"].id
    office.raw("user.allocate", "kongu.erode.visitor", "secret", "core", [group])
    assert not office.plan(with_admins)
    assert any("the community file names nobody so" in words for words in office.plan(with_admins).conditions)
    text = with_admins.replace("anita: {}", "anita: {}, visitor: {}")
    (words,) = [each for each in office.plan(text).conditions if "kongu.erode.visitor" in each]
    assert "If it is that person's, adopt it; if not, delete it" in words
    assert not office.apply(text).after
    assert len(credentials(office)) == 2, "nobody is handed a token of it"


def test_a_person_who_takes_the_mark_off_holds_up_nobody_else(office: Office, with_admins: str) -> None:
    office.apply(with_admins)
    anita = office.cloud_as(credentials(office)["kongu.erode.anita"].read_text().strip())
    me = anita.read("user.info", -1).id
    anita.call("user.update", me, 'NOTHING="left"', 0)
    assert "GURNEY_KIND" not in office.found().pools.by_id["user"][me].attributes()
    text = with_admins.replace("gateway: 10.20.2.1,", "gateway: 10.20.2.254,")
    the_plan = office.plan(text)
    assert [(step.action, step.kind, step.key) for step in the_plan] == [("update", "network", "salem")]
    assert the_plan.obstacles == ()
    assert any(f"Account kongu.erode.anita exists (id {me})" in words for words in the_plan.conditions)
    assert not office.apply(text).after
    gone = text.replace("anita: {}, ", "")
    (words,) = [each for each in office.plan(gone).conditions if "anita" in each]
    assert f"Account kongu.erode.anita (id {me})" in words, "who leaves does not stay in by taking off the mark"
    assert f"oneuser delete {me}" in words
    adopt(office.desk, parse(text), "cloud-user", str(me), "erode.anita")
    assert not office.apply(text).after
    assert not [words for words in office.plan(text).conditions if "anita" in words]


def test_a_group_s_admin_that_nobody_declared_is_told(office: Office, with_admins: str) -> None:
    office.apply(with_admins)
    group = office.found().view.groups["erode"].id
    number = office.raw("user.allocate", "somebody", "secret", "core", [group])
    office.raw("group.addadmin", group, number)
    assert any("somebody administers group kongu.erode" in words for words in office.plan(with_admins).conditions)


@pytest.mark.parametrize(
    "fault", ["user.allocate:lost@1", "user.update:2048@1", "user.login:2048@1", "user.update:lost@2"]
)
def test_a_call_that_fails_is_made_good(new_office: Callable[..., Office], example_text: str, fault: str) -> None:
    text = example_text[: example_text.index("  salem:")].replace(STAFF, f"{STAFF}\n    admins: {{anita: {{}}}}")
    office = replace(new_office(faults=(fault,)), community=parse(text))
    with suppress(ProvisionError):
        office.apply()
    assert not office.apply().after
    login = max(office.desk.identity.path.parent.glob("credential-*")).read_text().strip()
    assert office.cloud_as(login).read("user.info", -1).name == "kongu.erode.anita"


def test_a_renamed_branch_keeps_its_people(office: Office, with_admins: str) -> None:
    office.apply(with_admins)
    office.until_running()
    before = {node.name: node.id for node in office.found().pools.nodes["user"]}
    text = with_admins.replace("  erode:\n", "  erode-town:\n    was: erode\n", 1)
    text = text.replace("from: erode", "from: erode-town").replace("[erode", "[erode-town")
    assert not office.apply(text).after
    assert {node.name: node.id for node in office.found().pools.nodes["user"]} == before


def test_the_password_that_opennebula_keeps_is_nobody_s(office: Office, with_admins: str) -> None:
    office.apply(with_admins)
    with pytest.raises(CloudError):
        office.cloud_as("kongu.erode.anita:").read("user.info", -1)


def test_a_lost_credential_is_made_anew(
    office: Office, with_admins: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office.apply(with_admins)
    (office.folder / "one_auth").write_text(office.embedded.session)
    (office.folder / "community.yaml").write_text(with_admins)
    monkeypatch.setenv("ONE_AUTH", str(office.folder / "one_auth"))
    monkeypatch.setenv("GURNEY_IDENTITY", str(office.desk.identity.path))
    common = ["-f", str(office.folder / "community.yaml"), "--endpoint", office.embedded.endpoint]
    common += ["--exchange", str(office.exchange), "--json"]
    assert exit_of(["credential", "erode", "anita", *common]) in (0, None)
    told = capsys.readouterr().out
    login = Path(json.loads(told)["file"]).read_text().strip()
    assert login.partition(":")[2] not in told
    assert office.cloud_as(login).read("user.info", -1).name == "kongu.erode.anita"
    assert exit_of(["credential", "erode", "nobody", *common]) == 4
    assert "there is no 'nobody' in the `admins:` of branch 'erode'" in capsys.readouterr().err
