"""How much an outbox may hold: appliances are told, and what OpenNebula cannot do is said, with who can."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cli.main import exit_of
from provision.declaring.reading import parse
from provision.enrolling.enrolment import wait_until_ready
from provision.fleet.visitor import visiting

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.provision.conftest import Office


def limits(office: Office, text: str) -> list[str]:
    return [words for words in office.plan(text).conditions if "cannot limit the outbox" in words]


def test_a_new_branch_s_limit_is_for_the_file_server(office: Office, example_text: str) -> None:
    text = example_text.replace("driver: virtiofs", "driver: virtiofs\n  outbox: 20GiB")
    told = limits(office, text)
    assert len(told) == 3
    assert "the outbox of erode to 20GiB" in told[0]
    assert "'project -s -p /srv/exchange/out/erode N' -c 'limit -p bhard=20480m N' MOUNTPOINT" in told[0]
    assert not office.apply(text).after
    assert limits(office, text) == [], "said when the outbox is made, and not for ever"
    assert not office.plan(example_text), "it is nothing that the cloud knows"


def test_enrolled_branches_are_told_and_tell_how_much_they_use(
    new_office: Callable[..., Office],
    example_text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    office = new_office(driver="process")
    office.apply()
    assert wait_until_ready(office.desk, office.community, 120).ready
    text = example_text.replace("driver: virtiofs", "driver: virtiofs\n  outbox: 20GiB")
    steps = [(step.action, step.kind, [each.field for each in step.changes]) for step in office.plan(text)]
    assert steps == [("update", "settings", ["outbox"])] * 3
    assert not office.apply(text).after
    assert {each.outbox_bytes for each in office.found().view.published.settings.values()} == {20 << 30}
    with visiting(office.desk, parse(text), "127.0.0.1"):
        assert {each.outbox_bytes for each in office.found().view.published.settings.values()} == {20 << 30}
    assert not office.plan(text), "a visitor leaves the limit as it is"
    assert wait_until_ready(office.desk, parse(text), 120).ready
    (office.folder / "community.yaml").write_text(text)
    office.enter(monkeypatch)
    where = ["-f", str(office.folder / "community.yaml"), "--exchange", str(office.exchange)]
    textfile = office.folder / "gurney.prom"
    capsys.readouterr()
    assert not exit_of(["status", *where, "--json", "--prometheus", str(textfile)])
    lines = json.loads(capsys.readouterr().out)["branches"]
    assert [(line["outbox_bytes"], line["outbox_limit_bytes"]) for line in lines] == [(0, 20 << 30)] * 3
    assert 'gurney_outbox_limit_bytes{branch="erode",community="kongu"} 2.147483648e+10' in textfile.read_text()
    assert not exit_of(["status", *where])
    assert "outbox" in capsys.readouterr().out
