"""Which certificate an appliance shows: none at first, the newest, and the last where there is none any more."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from exchange.authority import LIFETIME, Authority
from exchange.tls_key import TlsKey
from exchange.trust import trust_in
from tests.appliance.tls import CT1, DICOM_TLS, HTTP, HTTPS, curl, dcmtk, own, root_file, shown
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.appliance.process import ApplianceProcess

__all__ = ["own"]


def test_before_enrolment_there_is_no_tls_and_the_page_is_served_in_clear(own: ApplianceProcess) -> None:
    assert own.health() is not None
    assert own.health()["secure"] is False  # type: ignore[index]
    for port in (HTTPS, DICOM_TLS):
        with pytest.raises(OSError), socket.create_connection((own.address, port), timeout=10) as plain:  # noqa: PT011
            trust_in(Authority.generate().root("kongu", {"erode"}, datetime.now(UTC))).wrap_socket(
                plain, server_hostname=own.address
            )
    page = httpx.get(f"http://{own.address}:{HTTP}/trust", trust_env=False)
    assert "no certificate yet" in page.text
    assert httpx.get(f"http://{own.address}:{HTTP}/trust/authority.crt", trust_env=False).status_code == 404


def test_a_renewed_certificate_is_shown_without_a_restart(own: ApplianceProcess, tmp_path: Path) -> None:
    own.enrol(CT1)
    until(lambda: (own.health() or {}).get("secure") is True)
    root = root_file(own, tmp_path)
    first, process = shown(own), own.process
    with httpx.Client(
        base_url=f"https://{own.address}:{HTTPS}",
        verify=trust_in(own.community.authority_certificate()),
        trust_env=False,
    ) as open_all_the_time:
        assert open_all_the_time.get("/health").status_code == 200
        renewed = own.community.certify("erode", datetime.now(UTC) + timedelta(hours=1))
        until(lambda: shown(own) != first)
        assert open_all_the_time.get("/health").status_code == 200, "who is connected stays connected"
    assert shown(own).text == renewed.certificate
    assert shown(own, DICOM_TLS).text == renewed.certificate
    assert own.process is process
    assert dcmtk("echoscu", own, root).returncode == 0
    own.stop()
    own.start()
    assert shown(own).text == renewed.certificate, "and after a restart"


def test_one_that_has_ended_is_refused_by_every_client(own: ApplianceProcess, tmp_path: Path) -> None:
    own.enrol(CT1)
    own.community.certify("erode", datetime.now(UTC) - LIFETIME - timedelta(days=2))
    until(lambda: (own.health() or {}).get("secure") is True and shown(own).until < datetime.now(UTC))
    root = root_file(own, tmp_path)
    refused = curl(own, root)
    assert (refused.returncode, "expired" in refused.stderr) == (60, True)
    assert dcmtk("echoscu", own, root).returncode != 0
    with pytest.raises(httpx.ConnectError, match="expired"):
        httpx.get(
            f"https://{own.address}:{HTTPS}/health",
            verify=trust_in(own.community.authority_certificate()),
            trust_env=False,
        )


def test_a_certificate_that_is_not_ours_is_not_shown(own: ApplianceProcess) -> None:
    """Of another key, or of another authority than the directory's: what was shown stays, and the log says why."""
    own.enrol(CT1)
    until(lambda: (own.health() or {}).get("secure") is True)
    first, now = shown(own), datetime.now(UTC)
    for changes, words in (
        ({"key": TlsKey.generate().public}, "is for another key than ours"),
        ({"by": Authority.generate()}, "is not of its authority"),
    ):
        own.community.certify("erode", now, **changes)
        until(lambda words=words: words in own.log.read_text())  # type: ignore[misc]
        assert shown(own) == first


def test_a_revoked_branch_goes_on_with_its_last_certificate(own: ApplianceProcess) -> None:
    """Its people still come to its images, and not in clear."""
    own.enrol(CT1)
    until(lambda: (own.health() or {}).get("secure") is True)
    first = shown(own)
    assert own.community.directory is not None
    own.community.publish(replace(own.community.directory.branch("erode"), revoked=True, certificate=""))
    until(lambda: (own.health() or {}).get("enrolled") is False)
    assert shown(own) == first
    own.stop()
    own.start()
    assert shown(own) == first


def test_a_page_is_opened_by_a_name_that_the_certificate_holds(own: ApplianceProcess, tmp_path: Path) -> None:
    """The hospital's own DNS name, as the community declares it; before and after it is a stranger's."""
    own.enrol(CT1)
    until(lambda: (own.health() or {}).get("secure") is True)
    url, to = f"https://images.erode.example:{HTTPS}/login", ("--connect-to", f"::{own.address}:{HTTPS}")
    reached = {"erode", own.address}

    def asked() -> tuple[int, str]:
        told = ["curl", "-sS", "--noproxy", "*", *to, "--cacert", root_file(own, tmp_path), "-o", os.devnull]
        done = subprocess.run([*told, "-w", "%{http_code}", url], capture_output=True, text=True, timeout=30)
        return done.returncode, done.stdout

    assert asked() == (60, "000"), "its certificate is not for that name"
    in_clear = {"headers": {"Host": "images.erode.example"}, "trust_env": False}
    assert httpx.get(f"http://{own.address}:{HTTP}/trust", **in_clear).status_code == 421  # type: ignore[arg-type]
    own.community.certify("erode", datetime.now(UTC), names=reached | {"images.erode.example"})
    until(lambda: asked() == (0, "200"))
    assert httpx.get(f"http://{own.address}:{HTTP}/trust", **in_clear).status_code == 200  # type: ignore[arg-type]
    assert httpx.get(
        f"http://{own.address}:{HTTP}/trust", headers={"Host": "x.erode.example"}, trust_env=False
    ).is_error
    own.community.certify("erode", datetime.now(UTC), names=reached)
    until(lambda: asked() == (60, "000"))
    assert httpx.get(f"http://{own.address}:{HTTP}/trust", **in_clear).status_code == 421  # type: ignore[arg-type]
