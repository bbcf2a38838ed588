"""Looks in the audit log: each is recorded before it is shown, and once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from appliance.audit import Audit
from appliance.errors import ArchiveFull
from appliance.index.engine import open_index
from appliance.people_tables import AuditEntry
from appliance.web.views import Views
from tests.appliance.referring import ANBU

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

    from appliance.index.engine import Index


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    opened = open_index(tmp_path / "index.sqlite")
    yield opened
    opened.close()


def recorded(index: Index) -> list[str]:
    with index.session() as session:
        return list(session.scalars(select(AuditEntry.subject)))


def test_a_look_that_cannot_be_recorded_is_not_let_through_the_next_time(index: Index, mocker: MockerFixture) -> None:
    audit = Audit(index)
    views = Views(audit)
    full = mocker.patch.object(audit, "append", side_effect=ArchiveFull("the index cannot grow"))
    for _ in range(3):
        with pytest.raises(ArchiveFull):
            views.saw(ANBU, "1.2.3", "ER-1", "erode")
    assert full.call_count == 3
    mocker.stop(full)
    views.saw(ANBU, "1.2.3", "ER-1", "erode")
    views.saw(ANBU, "1.2.3", "ER-1", "erode")
    assert recorded(index) == ["1.2.3"]


def test_pictures_that_are_asked_for_at_once_are_one_look(index: Index) -> None:
    views = Views(Audit(index))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: views.saw(ANBU, "1.2.3", "ER-1", "erode"), range(16)))
    views.saw(ANBU, "1.2.3", "ER-2", "erode")
    assert recorded(index) == ["1.2.3"] * 2
