"""A referral whose sender or recipient is killed at any of ten points ends complete, once, with no file half written.

Two real processes, a real exchange folder, a signed directory; SIGKILL just before a durable step.
"""

from __future__ import annotations

import hashlib
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import httpx
import pytest

from appliance.keeping.archive import open_archive
from appliance.keeping.kept import KeptFiles
from tests.appliance.community import Community
from tests.appliance.hospital import PASSWORD, ct, file_all
from tests.appliance.process import ApplianceProcess
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POINTS = 10
INSTANCES = 4


class Pair:
    """Erode with a patient for every point, and salem; a doctor at each of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.community = Community(folder / "exchange")
        self.erode = ApplianceProcess(folder / "erode", self.community, "erode")
        self.salem = ApplianceProcess(folder / "salem", self.community, "salem")
        archive = open_archive(self.erode.archive)
        for point in range(POINTS + 1):
            file_all(archive, ct(f"ER-{point}", count=INSTANCES), "erode")
        archive.close()
        for one in (self.erode, self.salem):
            one.start().enrol()
            one.wait_until_drawn()
        until(lambda: ("directory taken", 2) in self.taken_by_erode(), "salem in erode's directory")
        self.doctors = {one.branch: self.doctor(one) for one in (self.erode, self.salem)}

    def doctor(self, at: ApplianceProcess) -> httpx.Client:
        invited = {"login": "dr.anbu", "code": self.community.codes[at.branch]["dr.anbu"], "password": PASSWORD}
        client = httpx.Client(base_url=f"http://{at.address}:8080", trust_env=False, timeout=30)
        client.post("/api/invitations/accept", json=invited).raise_for_status()
        client.post("/api/session", json={"login": "dr.anbu", "password": PASSWORD}).raise_for_status()
        return client

    def taken_by_erode(self) -> list[tuple[object, object]]:
        return [(line.get("event"), line.get("version")) for line in self.erode.lines()]

    def refer(self, point: int) -> str:
        """Ask as a doctor does: once more, if the appliance was down."""
        answers: list[httpx.Response] = []

        def asked() -> bool:
            with suppress(httpx.TransportError):
                body = {"patient_id": f"ER-{point}", "to": "salem"}
                answers.append(self.doctors["erode"].post("/api/referrals", json=body))
            return bool(answers)

        until(asked)
        assert answers[0].status_code in {200, 202}, answers[0].text
        return str(answers[0].json()["referral_id"])

    def has_arrived(self, branch: str, referral_id: str) -> bool:
        with suppress(httpx.TransportError):
            answer = self.doctors[branch].get(f"/api/referrals/{referral_id}")
            return answer.status_code == 200 and answer.json()["arrived"] == answer.json()["total"] == INSTANCES
        return False

    def check(self, point: int, referral_id: str) -> None:
        """Both sides count all; each file is there once, whole; nothing is left on the way."""
        until(lambda: self.has_arrived("erode", referral_id) and self.has_arrived("salem", referral_id))
        assert self.salem.rows(f"SELECT count(*) FROM received_referral WHERE patient_id = 'ER-{point}'") == [(1,)]
        kept = self.kept(self.salem, point)
        assert kept == self.kept(self.erode, point)
        assert len(kept) == INSTANCES
        for uid, sha256 in kept:
            assert hashlib.sha256(KeptFiles(self.salem.archive).path_of(uid).read_bytes()).hexdigest() == sha256
        until(self.is_clear)
        assert [path for path in (self.salem.archive / "instances").rglob("*.dcm") if path.stat().st_nlink != 1] == []
        files = list((self.salem.archive / "instances").rglob("*.dcm"))
        assert self.salem.rows("SELECT count(*) FROM instance") == [(len(files),)]

    def is_over(self, point: int) -> bool:
        """Whether a referral has arrived and left nothing behind."""
        wanted = f"SELECT state, cleared FROM sent_referral WHERE patient_id = 'ER-{point}'"
        return self.erode.rows(wanted) == [("arrived", 1)] and self.is_clear()

    def is_clear(self) -> bool:
        """Whether nothing lies in an outbox but acknowledgements, which stay a while."""
        left = (path for path in self.community.root.glob("out/*/**/*") if not path.name.endswith(".ack.age"))
        return not any(path.is_file() for path in left)

    def kept(self, at: ApplianceProcess, point: int) -> list[tuple[str, str]]:
        return at.rows(
            "SELECT sop_instance_uid, sha256 FROM instance JOIN series ON series.id = series_key "
            "JOIN study ON study.id = study_key JOIN patient ON patient.id = patient_key "
            f"WHERE patient_id = 'ER-{point}' ORDER BY 1"
        )

    def close(self) -> None:
        for client in self.doctors.values():
            client.close()
        for one in (self.erode, self.salem):
            one.kill()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    opened = Pair(tmp_path)
    yield opened
    opened.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("side", ["erode", "salem"])
def test_a_kill_at_any_of_ten_points(pair: Pair, side: str, tmp_path: Path) -> None:
    victim = getattr(pair, side)
    victim.stop()
    steps = tmp_path / "steps"
    victim.start(("0", "--after", str(tmp_path / "armed-0"), "--log", str(steps)))
    (tmp_path / "armed-0").touch()
    pair.check(0, pair.refer(0))
    count = steps_of_the_referral(steps)
    assert count >= POINTS
    victim.stop()
    numbers = [1 + point * (count - 1) // (POINTS - 1) for point in range(POINTS)]
    victim.start((str(numbers[0]), "--after", str(tmp_path / "armed-1")))
    for point, following in enumerate([*numbers[1:], 0], start=1):
        referred_while_killed(pair, victim, point, tmp_path / f"armed-{point}")
        victim.start((str(following), "--after", str(tmp_path / f"armed-{point + 1}")))
        pair.check(point, pair.refer(point))


def steps_of_the_referral(log: Path) -> int:
    """How many durable steps it took up to the answer, or to the clearing of the outbox; what is drawn later varies."""
    lines = log.read_text().splitlines()
    last = max(number for number, line in enumerate(lines, start=1) if "link .tmp-" in line or "parcel.age" in line)
    return min(last + 3, len(lines))


def referred_while_killed(pair: Pair, victim: ApplianceProcess, point: int, armed: Path) -> None:
    """Arm the victim, refer, and see it die on the way; where this time it took fewer steps, right at the end."""
    process = victim.process
    assert process is not None
    armed.touch()
    with suppress(httpx.TransportError):
        body = {"patient_id": f"ER-{point}", "to": "salem"}
        pair.doctors["erode"].post("/api/referrals", json=body)
    until(lambda: process.poll() is not None or pair.is_over(point))
    victim.kill()
    assert process.returncode == -signal.SIGKILL
