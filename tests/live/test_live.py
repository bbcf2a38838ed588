"""A community's life by the commands alone: on the embedded cloud always, on a real front end where one is named."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from emulator.cloud import Cloud
from emulator.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMUNITY = Path(__file__).parent / "community.yaml"
CHANGES = 2
CONSENT = ("--allow-destroy", "erode", "--allow-destroy", "salem")
POOLS = ("grouppool", "userpool", "vmpool", "imagepool", "vnpool", "secgrouppool", "templatepool", "vdcpool")
EVERYBODYS = -2


@dataclass(frozen=True)
class Admin:
    """An admin's desk: a front end with its login, and a community of this test's own."""

    endpoint: str
    auth: Path
    folder: Path
    name: str

    @property
    def file(self) -> Path:
        return self.folder / "community.yaml"

    def write(self, *changes: tuple[str, str]) -> None:
        text = COMMUNITY.read_text().replace("NAME", self.name).replace("EXCHANGE", str(self.folder / "exchange"))
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.file.write_text(text)

    def run(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
        own = {"ONE_XMLRPC": self.endpoint, "ONE_AUTH": str(self.auth)}
        own["GURNEY_IDENTITY"] = str(self.folder / "identity.txt")
        line = [sys.executable, "-m", "cli", command, "-f", str(self.file), *options]
        return subprocess.run(line, env={**os.environ, **own}, capture_output=True, text=True, check=False)

    def must(self, command: str, *options: str) -> Any:
        done = self.run(command, *options, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def rests(self) -> bool:
        done = self.run("plan", "--detailed-exitcode")
        assert done.returncode in {0, CHANGES}, done.stderr
        return done.returncode == 0

    def objects(self) -> set[str]:
        """What the front end has of this community, as a stranger to Gurney sees it."""
        found = set()
        with pyone.OneServer(self.endpoint, session=self.auth.read_text().strip()) as one:
            for pool in POOLS:
                everybodys = [] if pool in {"grouppool", "userpool", "vdcpool"} else [EVERYBODYS, -1, -1]
                answer = getattr(one, pool).info(*everybodys, *([-1] if pool == "vmpool" else []))
                items = next(value for name, value in vars(answer).items() if isinstance(value, list))
                found |= {f"{pool} {item.NAME}" for item in items if item.NAME.startswith(self.name)}
        return found


@pytest.fixture(params=["embedded", pytest.param("live", marks=pytest.mark.live)])
def admin(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Admin]:
    (tmp_path / "exchange").mkdir()
    name = f"gurney-live-{secrets.token_hex(3)}"
    if request.param == "live":
        yield _real(tmp_path, name)
    else:
        with _embedded(tmp_path / "cloud") as cloud:
            yield Admin(cloud.endpoint, tmp_path / "cloud" / "one_auth", tmp_path, name)


def _real(folder: Path, name: str) -> Admin:
    if "ONE_XMLRPC" not in os.environ:
        pytest.skip("ONE_XMLRPC names no real front end")
    auth = Path(os.environ.get("ONE_AUTH") or Path.home() / ".one" / "one_auth")
    return Admin(os.environ["ONE_XMLRPC"], auth, folder, name)


def _embedded(state: Path) -> Cloud:
    """With what tests/live/front-end.sh lays out on a real one."""
    host = state / "host"
    for place in ("srv/exchange/out/erode", "srv/exchange/out/salem", "var/tmp"):
        (host / place).mkdir(parents=True)
    (host / "var/tmp/gurney-appliance.qcow2").write_bytes(bytes(1 << 20))
    return Cloud(Settings(state=state, driver="none", port=0))


def test_a_community_is_made_rests_is_changed_and_is_removed(admin: Admin) -> None:
    admin.write()
    try:
        assert not admin.rests()
        made = admin.must("apply", "--yes")
        assert made["plan_after"] == []
        assert admin.rests()
        assert {branch["name"] for branch in admin.must("status")["branches"]} == {"erode", "salem"}
        assert f"grouppool {admin.name}.erode" in admin.objects()
        admin.write(("cpu: 3", "cpu: 4"))
        changes = admin.must("plan")["changes"]
        assert [change["name"] for change in changes] == [f"{admin.name}.salem"], changes
        admin.must("apply", "--yes")
        assert admin.rests()
    finally:
        admin.must("destroy", "--yes", *CONSENT)
    assert admin.objects() == set()
