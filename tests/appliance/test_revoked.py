"""A revoked branch, seen from every side at the next reading of the directory: nothing to it, nothing from it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from appliance.referral.states import ARRIVED
from exchange.errors import NotAllowed
from tests.appliance.hospital import Hospital, ct, hospitals
from tests.appliance.referring import exchanged, outbox_files, refer, row

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def three(tmp_path: Path) -> Iterator[tuple[Hospital, ...]]:
    with hospitals(tmp_path, "erode", "salem", "karur") as opened:
        for one in opened:
            one.keep(ct(f"{one.branch}-1"))
        yield opened


def revoke(branch: Hospital) -> None:
    """What `gurney branch revoke` publishes."""
    directory = branch.community.directory
    assert directory is not None
    branch.community.publish(replace(directory.branch(branch.branch), revoked=True))


def test_nothing_is_offered_to_it_and_it_may_offer_nothing(three: tuple[Hospital, ...]) -> None:
    erode, salem, karur = three
    revoke(salem)
    for one in three:
        one.people.enrolment.step()
    assert salem.people.directory.recipients_of("salem") == ()
    assert erode.people.directory.recipients_of("erode") == ("karur",)
    for sender, recipient in ((erode, salem), (salem, karur)):
        with pytest.raises(NotAllowed):
            refer(sender, recipient, f"{sender.branch}-1")


def test_what_was_asked_for_before_is_not_sent_to_it(three: tuple[Hospital, ...]) -> None:
    erode, salem, _ = three
    kept = salem.kept()
    referral_id = refer(erode, salem, "erode-1")
    revoke(salem)
    exchanged(erode, salem)
    assert row(erode, referral_id).state != ARRIVED
    assert outbox_files(erode) == []
    assert salem.kept() == kept


def test_what_it_sent_before_is_not_taken(three: tuple[Hospital, ...]) -> None:
    """Also where the revoked branch does not know it yet, or does not want to know it."""
    erode, salem, karur = three
    refer(salem, karur, "salem-1")
    salem.sending.step()
    kept = karur.kept()
    revoke(salem)
    exchanged(karur)
    assert karur.kept() == kept
    refer(erode, karur, "erode-1")
    exchanged(erode, karur)
    assert len(karur.kept()) > len(kept), "the others go on"


def test_its_people_still_see_what_it_has(three: tuple[Hospital, ...]) -> None:
    _, salem, _ = three
    revoke(salem)
    salem.accept_all().people.enrolment.step()
    assert not salem.people.enrolment.enrolled
    salem.serve()
    assert [study["patient_id"] for study in salem.client("dr.anbu").get("/api/studies").json()] == ["salem-1"]
