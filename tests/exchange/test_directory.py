"""The directory: what is taken, what is passed over, and what time has to say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange import directory as directories
from exchange.community import recovery_key
from exchange.errors import AlreadyThere, DirectoryExpired, NoDirectory, NotAllowed, OlderDirectory
from exchange.keys import SigningKey
from exchange.signing import sign
from exchange.versions import Latest

if TYPE_CHECKING:
    from exchange.directory import Directory
    from tests.exchange.conftest import Kongu


def latest(kongu: Kongu, now: datetime, floor: int = 0) -> Latest[Directory]:
    return directories.latest(kongu.exchange, "kongu", kongu.community.trusted, floor=floor, now=now)


def second(kongu: Kongu) -> Directory:
    return replace(kongu.directory, version=2, referrals=())


def test_the_newest_is_taken(kongu: Kongu, now: datetime) -> None:
    directories.publish(kongu.exchange, second(kongu), kongu.community.sign)
    assert latest(kongu, now) == Latest(second(kongu))


def test_the_recovery_key_may_sign(kongu: Kongu, now: datetime) -> None:
    directories.publish(kongu.exchange, second(kongu), recovery_key(kongu.recovery_secret))
    assert latest(kongu, now).value.version == 2


def test_a_wrong_signature_is_passed_over(kongu: Kongu, now: datetime) -> None:
    directories.publish(kongu.exchange, second(kongu), SigningKey.generate())
    found = latest(kongu, now)
    assert found.value == kongu.directory
    assert "0000000002.json" in found.warnings[0]


def test_an_older_directory_is_refused(kongu: Kongu, now: datetime) -> None:
    with pytest.raises(OlderDirectory, match="version 2 was seen"):
        latest(kongu, now, floor=2)


def test_the_version_seen_last_is_good_again(kongu: Kongu, now: datetime) -> None:
    assert latest(kongu, now, floor=1).value.version == 1


def test_name_and_version_must_agree(kongu: Kongu, now: datetime) -> None:
    old = (kongu.root / "community/directory/0000000001.json").read_bytes()
    (kongu.root / "community/directory/0000000099.json").write_bytes(old)
    found = latest(kongu, now)
    assert found.value.version == 1
    assert "name says version 99" in found.warnings[0]


def test_another_communitys_directory_is_passed_over(kongu: Kongu, now: datetime) -> None:
    directories.publish(kongu.exchange, replace(second(kongu), community="other"), kongu.community.sign)
    assert latest(kongu, now).value.version == 1


def test_signed_settings_are_no_directory(kongu: Kongu, now: datetime) -> None:
    kongu.exchange.put(
        "community/directory/0000000002.json", sign("settings", second(kongu).encode(), kongu.community.sign)
    )
    assert latest(kongu, now).value.version == 1


def test_odd_entries_are_passed_over_with_a_line_each(kongu: Kongu, now: datetime) -> None:
    folder = kongu.root / "community/directory"
    (folder / "0000000003.json").symlink_to("0000000001.json")
    (folder / "0000000004.json").mkdir()
    (folder / "0000000005.json").write_bytes(b"\0" * 100)
    with (folder / "0000000006.json").open("wb") as sparse:
        sparse.truncate(10 << 30)
    (folder / "latest.json").write_bytes(b"not even a name")
    found = latest(kongu, now)
    assert found.value.version == 1
    assert len(found.warnings) == 4


def test_none_at_all(kongu: Kongu, now: datetime) -> None:
    (kongu.root / "community/directory/0000000001.json").unlink()
    with pytest.raises(NoDirectory):
        latest(kongu, now)


def test_two_admins_cannot_publish_one_version(kongu: Kongu) -> None:
    directories.publish(kongu.exchange, second(kongu), kongu.community.sign)
    with pytest.raises(AlreadyThere):
        directories.publish(kongu.exchange, second(kongu), kongu.community.sign)


def test_old_versions_are_cleared_away(kongu: Kongu, now: datetime) -> None:
    for version in range(2, 41):
        directories.publish(kongu.exchange, replace(kongu.directory, version=version), kongu.community.sign)
    names = sorted(entry.name for entry in kongu.exchange.list("community/directory"))
    assert names == [f"{version:010d}.json" for version in range(9, 41)]
    assert latest(kongu, now, floor=39).value.version == 40


@pytest.mark.parametrize("days", [-400, 400])
def test_a_wrong_clock_warns_and_takes_nothing(kongu: Kongu, now: datetime, days: int) -> None:
    found = latest(kongu, now + timedelta(days=days))
    assert found.value == kongu.directory
    assert len(found.warnings) == 1
    assert found.value.branch("erode").keys == kongu.keys["erode"].public


def test_an_expired_directory_lets_new_referrals_wait(kongu: Kongu, now: datetime) -> None:
    kongu.directory.check_fresh(now)
    with pytest.raises(DirectoryExpired):
        kongu.directory.check_fresh(now + timedelta(days=400))


def test_who_may_refer(kongu: Kongu) -> None:
    directory = kongu.directory
    assert directory.may_refer("erode", "salem")
    assert not directory.may_refer("salem", "karur")
    assert not directory.may_refer("erode", "nowhere")
    with pytest.raises(NotAllowed, match="salem may not refer to karur"):
        directory.check_referral("salem", "karur")


def test_a_revoked_branch_neither_sends_nor_receives(kongu: Kongu) -> None:
    directory = kongu.changed("salem", revoked=True)
    assert not directory.may_refer("erode", "salem")
    assert not directory.may_refer("salem", "erode")
    with pytest.raises(NotAllowed, match="revoked"):
        directory.check_referral("erode", "salem")


def test_a_branch_cannot_stand_in_it_twice(kongu: Kongu) -> None:
    with pytest.raises(ValueError, match="twice"):
        replace(kongu.directory, branches=(*kongu.directory.branches, kongu.directory.branches[0]))


def test_it_travels_as_bytes(kongu: Kongu) -> None:
    assert type(kongu.directory).decode(kongu.directory.encode()) == kongu.directory
