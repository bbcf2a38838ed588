"""An appliance over TLS, and the clients that ask it: curl and DCMTK."""

from __future__ import annotations

import os
import ssl
import subprocess
from typing import TYPE_CHECKING

import pytest

from exchange.certificate import Certificate
from exchange.settings import Modality
from tests.appliance.community import Community
from tests.appliance.process import ApplianceProcess
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CT1 = Modality("CT1", "10.20.1.50")
HTTP, HTTPS, DICOM, DICOM_TLS = 8080, 8443, 11112, 2762


@pytest.fixture(scope="module")
def erode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApplianceProcess]:
    """One appliance for all tests that take nothing away from the next one."""
    folder = tmp_path_factory.mktemp("tls")
    process = ApplianceProcess(folder / "erode", Community(folder / "exchange")).start().enrol(CT1)
    until(lambda: (process.health() or {}).get("secure") is True)
    yield process
    process.kill()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ApplianceProcess]:
    """An appliance of the test's own."""
    process = ApplianceProcess(tmp_path / "erode", Community(tmp_path / "exchange")).start()
    yield process
    process.kill()


def root_file(appliance: ApplianceProcess, folder: Path, root: Certificate | None = None) -> str:
    path = folder / "authority.pem"
    path.write_text((root or appliance.community.authority_certificate()).pem)
    return str(path)


def curl(
    appliance: ApplianceProcess, root: str, path: str = "/health", *options: str
) -> subprocess.CompletedProcess[str]:
    command = [
        "curl",
        "-sS",
        "--noproxy",
        "*",
        "--cacert",
        root,
        *options,
        f"https://{appliance.address}:{HTTPS}{path}",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def dcmtk(program: str, appliance: ApplianceProcess, root: str, *more: str | Path) -> subprocess.CompletedProcess[str]:
    """A client of DCMTK's over TLS, without a certificate of its own."""
    command = [program, "-v", "-aet", "CT1", "-aec", "ERODE", "+tla", "+cf", root, appliance.address, str(DICOM_TLS)]
    environment = {**os.environ, "TCP_NODELAY": "1"}
    command = [*command, *map(str, more)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def shown(appliance: ApplianceProcess, port: int = HTTPS) -> Certificate:
    """The certificate that is shown now, whatever it is worth."""
    pem = ssl.get_server_certificate((appliance.address, port), timeout=PATIENCE_S)
    return Certificate("".join(pem.split("-----")[2].split()))
