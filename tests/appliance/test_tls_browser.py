"""The page over HTTPS in a real browser: trusted once the authority is installed, not before, and for nothing else."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from exchange.authority import Authority
from tests.appliance.browser import CHROMIUM, Browser
from tests.appliance.community import Community
from tests.appliance.hospital import PASSWORD
from tests.appliance.process import ApplianceProcess
from tests.appliance.tls import shown
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.certificate import Certificate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which(CHROMIUM) is None or shutil.which("certutil") is None,
        reason="needs Debian's packages chromium and libnss3-tools",
    ),
]


@pytest.fixture(scope="module")
def erode(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApplianceProcess]:
    folder = tmp_path_factory.mktemp("browsed")
    process = ApplianceProcess(folder / "erode", Community(folder / "exchange")).start().enrol()
    until(lambda: (process.health() or {}).get("secure") is True)
    yield process
    process.kill()


def installed(home: Path, *roots: Certificate) -> Path:
    """A home folder in which a person has installed these authorities."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    subprocess.run(["certutil", "-N", "-d", f"sql:{store}", "--empty-password"], check=True)
    for number, root in enumerate(roots):
        file = home / f"{number}.crt"
        file.write_bytes(root.der)
        command = ["certutil", "-A", "-d", f"sql:{store}", "-n", f"authority {number}", "-t", "C,,", "-i", str(file)]
        subprocess.run(command, check=True)
    return home


def test_with_the_authority_installed_a_doctor_logs_in(
    erode: ApplianceProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(installed(tmp_path, erode.community.authority_certificate())))
    with Browser() as browser:
        browser.go(f"https://{erode.address}:8443/invitation")
        code = erode.community.codes["erode"]["dr.anbu"]
        browser.fill(login="dr.anbu", code=code, password=PASSWORD, again=PASSWORD)
        browser.click("main button")
        browser.fill(login="dr.anbu", password=PASSWORD)
        browser.click("main button")
        assert browser.path == "/"
        assert browser.run("window.isSecureContext") is True
        browser.go(f"https://{erode.address}:8443/trust")
        assert erode.community.authority_certificate().fingerprint in browser.text
        assert "in clear" not in browser.text


def is_refused(browser: Browser, url: str) -> bool:
    browser._call("Page.navigate", url=url)
    browser._until("document.readyState == 'complete'")
    return str(browser.run("location.href")).startswith("chrome-error://")


def test_without_it_or_with_another_the_browser_warns(
    erode: ApplianceProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Authority.generate().root("kongu", {"erode"}, datetime.now(UTC))
    monkeypatch.setenv("HOME", str(installed(tmp_path, stranger)))
    with Browser() as browser:
        assert is_refused(browser, f"https://{erode.address}:8443/login")


def test_the_browser_keeps_the_authority_to_its_community(
    erode: ApplianceProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name constraints of an installed authority hold: with its key stolen, it vouches for no other name."""
    monkeypatch.setenv("HOME", str(installed(tmp_path, erode.community.authority_certificate())))
    names = frozenset({"erode", erode.address, "bank.example.org"})
    forged = erode.community.certify("erode", datetime.now(UTC), names=names).certificate
    until(lambda: shown(erode).text == forged)
    with Browser() as browser:
        assert is_refused(browser, f"https://{erode.address}:8443/login")
