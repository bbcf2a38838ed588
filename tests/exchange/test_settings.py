"""Settings: who can read them, and what counts as a change."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange import settings as branch_settings
from exchange.errors import NotThere, OlderDirectory
from exchange.invitation import invite
from exchange.settings import Modality, Settings, StaffMember

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.keys import SealingKey, SigningKey
    from tests.exchange.conftest import Kongu

ERODE = Settings(
    community="kongu",
    branch="erode",
    version=1,
    staff=(StaffMember("dr.anbu", "doctor"), StaffMember("r.devi", "radiographer")),
    modalities=(Modality("CT1", "10.20.1.50", 104), Modality("US 2", "10.20.1.51")),
)


def publish(kongu: Kongu, settings: Settings, key: SigningKey | None = None) -> None:
    recipients = [kongu.keys["erode"].public.seal, kongu.community.seal.public]
    branch_settings.publish(kongu.exchange, settings, key or kongu.community.sign, recipients)


def latest(kongu: Kongu, seal: SealingKey, floor: int = 0) -> Settings:
    trusted = kongu.community.trusted
    return branch_settings.latest(kongu.exchange, "kongu", "erode", trusted, seal, floor=floor).value


def test_the_branch_and_the_community_read_them(kongu: Kongu) -> None:
    publish(kongu, ERODE)
    assert latest(kongu, kongu.keys["erode"].seal) == ERODE
    assert latest(kongu, kongu.community.seal) == ERODE


def test_another_branch_does_not(kongu: Kongu) -> None:
    publish(kongu, ERODE)
    with pytest.raises(NotThere):
        latest(kongu, kongu.keys["karur"].seal)


def test_names_of_staff_are_not_readable(kongu: Kongu) -> None:
    publish(kongu, ERODE)
    assert not any(b"anbu" in path.read_bytes() for path in kongu.files())


def test_only_the_community_signs_them(kongu: Kongu) -> None:
    publish(kongu, ERODE)
    publish(kongu, replace(ERODE, version=2, staff=(StaffMember("mallory", "admin"),)), kongu.keys["erode"].sign)
    assert latest(kongu, kongu.keys["erode"].seal) == ERODE


def test_they_hold_for_one_branch(kongu: Kongu) -> None:
    publish(kongu, ERODE)
    publish(kongu, replace(ERODE, branch="salem"))
    moved = kongu.root / "community/settings/salem/0000000001.age"
    (kongu.root / "community/settings/erode/0000000002.age").write_bytes(moved.read_bytes())
    assert latest(kongu, kongu.keys["erode"].seal) == ERODE


def test_older_ones_are_refused(kongu: Kongu) -> None:
    publish(kongu, ERODE)
    with pytest.raises(OlderDirectory):
        latest(kongu, kongu.keys["erode"].seal, floor=3)


def test_version_and_invitations_are_no_change(kongu: Kongu, now: datetime) -> None:
    _, invitation = invite(now)
    invited = replace(ERODE, version=5, staff=(replace(ERODE.staff[0], invitation=invitation), ERODE.staff[1]))
    assert invited.declared == ERODE.declared
    assert replace(ERODE, staff=ERODE.staff[:1]).declared != ERODE.declared


@pytest.mark.parametrize(
    "wrong",
    [
        {"staff": (("dr.anbu", "doctor"),)},
        {"version": 0},
        {"branch": "../salem"},
        {"modalities": ({"ae_title": "A" * 17},)},
    ],
)
def test_wrong_values_are_refused_when_they_are_made(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        replace(ERODE, **wrong)  # type: ignore[arg-type]


def test_settings_of_before_the_inbox_say_that_there_is_none() -> None:
    told = json.loads(replace(ERODE, inbox=True).encode())
    assert Settings.decode(json.dumps(told).encode()).inbox
    del told["inbox"]
    assert not Settings.decode(json.dumps(told).encode()).inbox


def test_an_inbox_that_is_allowed_or_not_is_a_change() -> None:
    assert replace(ERODE, inbox=True).declared != ERODE.declared
