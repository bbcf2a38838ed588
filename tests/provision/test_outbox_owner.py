"""What only a person can put right is told: an outbox that its appliance cannot write in, and images laid aside."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cli.main import exit_of
from tests.provision.mortal import ONE_BRANCH
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mock import MockerFixture

    from tests.exchange.sshd import Sshd
    from tests.provision.conftest import Office

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("driver", "owner"), [("virtiofs", 100800), ("nfs\n  server: 10.20.0.9", 800)])
def test_who_may_not_give_it_is_told_what_root_does(
    office: Office,
    sshd: Sshd,
    mocker: MockerFixture,
    driver: str,
    owner: int,
) -> None:
    mocker.patch("exchange.sftp_session.SftpSession.chown", side_effect=PermissionError)
    text = ONE_BRANCH.replace("driver: virtiofs", f"driver: {driver}")
    assert f"driver: {driver}" in text
    over_sftp = replace(office, desk=replace(office.desk, store=sshd.store(office.exchange)))
    notes = over_sftp.apply(text).notes
    assert [f"chown {owner}:{owner} /srv/exchange/out/erode" in note for note in notes] == [False, True]
    assert not over_sftp.plan(text)
    over_sftp.desk.store.close()


def test_status_says_that_no_referral_leaves_and_that_images_lie_aside(
    new_office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    office = new_office(driver="process")
    office.apply(ONE_BRANCH)
    (office.folder / "one.yaml").write_text(ONE_BRANCH)
    office.enter(monkeypatch)
    where = ["-f", str(office.folder / "one.yaml"), "--exchange", str(office.exchange)]
    assert not exit_of(["apply", *where, "--yes", "--wait"])
    outbox = office.exchange / "out" / "erode"
    shutil.rmtree(outbox)

    def told() -> dict[str, object]:
        capsys.readouterr()
        assert not exit_of(["status", *where, "--json", "--prometheus", str(office.folder / "prom")])
        (branch,) = json.loads(capsys.readouterr().out)["branches"]
        return dict(branch)

    until(lambda: told()["outbox_unwritable"])
    assert "root, chown 100800:100800 /srv/exchange/out/erode" in str(told()["words"])
    assert 0 < int(str(told()["archive_free_bytes"])) < int(str(told()["archive_bytes"]))
    assert 'gurney_outbox_unwritable{branch="erode",community="kongu"} 1.0' in (office.folder / "prom").read_text()
    outbox.mkdir()
    until(lambda: not told()["outbox_unwritable"])
    assert told()["set_aside"] == 0
    (archive,) = office.folder.rglob("conflicts")
    (archive / "1.2.3").write_bytes(b"another image")
    assert told()["set_aside"] == 1
    assert "for a person to look at: 1" in str(told()["words"])
    assert 'gurney_images_set_aside{branch="erode",community="kongu"} 1.0' in (office.folder / "prom").read_text()
