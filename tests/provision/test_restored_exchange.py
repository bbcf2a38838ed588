"""After the exchange was restored from an older copy, what is published reaches appliances that know newer versions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.declaring.reading import parse
from provision.enrolling.enrolment import enrol, wait_until_ready
from provision.enrolling.published import publish_directory, publish_settings
from provision.enrolling.restored import MOST_AHEAD, newest_directory
from provision.enrolling.revocation import revoke
from tests.provision.restored import health, restored, status
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office


@pytest.fixture
def office(new_office: Callable[..., Office], example_text: str) -> Office:
    """An office of one branch, whose appliance runs and is ready."""
    text = example_text[: example_text.index("  salem:")]
    one = replace(new_office(driver="process"), community=parse(text))
    one.apply()
    assert wait_until_ready(one.desk, one.community, 300).ready
    return one


def published_anew(office: Office, times: int) -> None:
    """Directory and settings are published again and again, and read."""
    now = office.found()
    assert now.keys is not None
    for _ in range(times):
        publish_directory(office.desk.store, now.keys, "kongu", [], [])
        publish_settings(office.desk.store, now.keys, "kongu", "erode", [("dr.anbu", "doctor")], [])
    until(lambda: (health(office).directory, health(office).settings) == (1 + times, 1 + times), "reading")


@pytest.mark.slow
def test_a_revocation_reaches_who_knows_newer_versions(office: Office) -> None:
    published_anew(office, 2)
    restored(office)
    told = status(office)
    assert (told.ready, told.directory_known, told.settings_known) == (False, 3, 3)
    assert "newer settings than the exchange holds: `gurney apply` publishes above them" in told.words
    enrol(office.desk, office.community)
    until(lambda: health(office).settings == 4, "reading of settings above")
    told = status(office)
    assert told.ready, told.words
    assert "by version 3 of the directory; the exchange holds 1: was it restored from an older copy?" in told.words
    assert revoke(office.desk, "kongu", ["erode"]) == 4
    until(lambda: not health(office).enrolled, "the revocation")
    assert revoke(office.desk, "kongu", ["erode"]) == 4, "again: the same"


def test_what_is_further_ahead_than_can_be_is_not_believed(office: Office) -> None:
    """One appliance alone could otherwise use up all the numbers that there are."""
    now = office.found()
    assert now.keys is not None
    publish_directory(office.desk.store, now.keys, "kongu", [], [], above=MOST_AHEAD)
    until(lambda: health(office).directory == MOST_AHEAD + 1, "reading")
    assert newest_directory(office.found()) == 0, "it is what the exchange holds"
    restored(office)
    assert newest_directory(office.found()) == MOST_AHEAD + 1
    publish_directory(office.desk.store, now.keys, "kongu", [], [], above=MOST_AHEAD + 1)
    until(lambda: health(office).directory == MOST_AHEAD + 2, "reading")
    restored(office)
    assert newest_directory(office.found()) == 0
