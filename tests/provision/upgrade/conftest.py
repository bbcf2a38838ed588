"""A folder that stands for an appliance's machine, with the real service in it, and an admin who reaches it by sshd."""

from __future__ import annotations

import getpass
from importlib.util import spec_from_file_location
from typing import TYPE_CHECKING

import pytest

from provision.visit.host_keys import HostKeys
from provision.visit.shell import Machine
from tests.appliance.community import Community
from tests.exchange.sshd import Sshd, fingerprint
from tests.provision.upgrade.standin import Admin, StandIn

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def pip_itself() -> None:
    """It is sent as an admin sends it, and compiled over there."""


@pytest.fixture(autouse=True)
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For tests of something else a small pip is sent, which calls the one that is installed beside the libraries."""
    if "pip_itself" in request.fixturenames:
        return
    folder = tmp_path / "pip"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "__main__.py").write_text(
        "import runpy\n\nrunpy.run_module('pip', run_name='__main__', alter_sys=True)\n"
    )
    spec = spec_from_file_location("pip", folder / "__init__.py")
    monkeypatch.setattr("provision.visit.versions.find_spec", {"pip": spec}.get)


@pytest.fixture
def guest(tmp_path: Path) -> Iterator[StandIn]:
    standing = StandIn(tmp_path / "guest", Community(tmp_path / "exchange")).start()
    yield standing
    standing.systemctl("stop")


@pytest.fixture
def admin(sshd: Sshd, guest: StandIn, tmp_path: Path) -> Admin:
    keys, compared = HostKeys(tmp_path / "hosts"), fingerprint(sshd.host_key)
    machine = Machine("kongu.erode", "127.0.0.1", sshd.port, keys, sshd.identity, compared, getpass.getuser())
    return Admin(machine, guest, tmp_path)
