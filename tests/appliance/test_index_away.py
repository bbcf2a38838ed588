"""An index that takes no more, or in which another writes for long: what can be read is shown, the rest is told."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from appliance.errors import ArchiveFull
from appliance.index.engine import PRAGMAS
from tests.appliance.community import Community
from tests.appliance.hospital import PASSWORD, Hospital, ct

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from sqlalchemy.orm import Session

LOGIN = {"login": "dr.anbu", "password": PASSWORD}


@pytest.fixture
def erode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hospital]:
    """A hospital whose index waits a moment, not ten seconds, for another that writes."""
    monkeypatch.setattr("appliance.index.engine.PRAGMAS", (*PRAGMAS, "busy_timeout=50"))
    opened = Hospital(Community(tmp_path / "exchange"), "erode", tmp_path / "erode").enrol().accept_all().serve()
    opened.keep(ct(name="Murugan^Selvi"))
    yield opened
    opened.close()


@contextmanager
def full(erode: Hospital, _file: Path) -> Iterator[None]:
    """Its disk takes no more."""

    @contextmanager
    def writing() -> Iterator[Session]:
        raise ArchiveFull("the index cannot grow: database or disk is full")
        yield

    index = erode.archive.index
    index.writing = writing  # type: ignore[method-assign]  # a fault
    try:
        yield
    finally:
        del index.writing  # type: ignore[method-assign]


@contextmanager
def busy(_erode: Hospital, file: Path) -> Iterator[None]:
    """Somebody else writes in it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def is_page(answer: httpx.Response) -> bool:
    return answer.headers["content-type"].startswith("text/html") and "Erode Town Hospital" in answer.text


@pytest.mark.parametrize(("fault", "status"), [(full, 507), (busy, 503)])
def test_what_can_be_read_is_shown_and_the_rest_is_told(erode: Hospital, tmp_path: Path, fault, status: int) -> None:
    client = erode.client("dr.anbu")
    soon = datetime.now(UTC) + timedelta(minutes=5)
    erode.people.sessions._clock = lambda: soon  # so that the next click is to be noted
    (file,) = (tmp_path / "erode").glob("*.sqlite")
    with fault(erode, file):
        for path, expected in (("/", 200), ("/referrals", 200), ("/nothing", 404), ("/studies/1.2", 404)):
            answer = client.get(path)
            assert answer.status_code == expected, path
            assert is_page(answer), path
            assert "dr.anbu" in answer.text, path
        assert client.get("/api/studies").status_code == 200
        told = erode.client().post("/login", data=LOGIN)
        assert told.status_code == status
        assert is_page(told)
        assert "Internal Server Error" not in told.text
        told = erode.client().post("/api/session", json=LOGIN)
        assert told.json()["status"] == told.status_code == status
    assert erode.client().post("/api/session", json=LOGIN).status_code == 204
