"""A revoked appliance over TLS: refused by every client that has the revocation list, and by no other."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from appliance.dimse.scu import Peer, echo
from cli.demo.branch import Branch
from exchange.authority import Authority
from exchange.trust import trust_in
from provision.fleet.health import health_of
from tests.appliance.tls import CT1, DICOM_TLS, HTTP, HTTPS, curl, dcmtk, own, root_file, shown
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.appliance.process import ApplianceProcess

__all__ = ["own"]


def list_file(appliance: ApplianceProcess, folder: Path) -> str:
    path = folder / "revoked.pem"
    path.write_text(appliance.community.revocation_list().pem)
    return str(path)


def revoke(appliance: ApplianceProcess) -> None:
    community = appliance.community
    assert community.directory is not None
    community.publish(replace(community.directory.branch("erode"), revoked=True, certificate=""))


def test_who_checks_the_list_refuses_a_revoked_appliance(own: ApplianceProcess, tmp_path: Path) -> None:
    own.enrol(CT1)
    until(lambda: (own.health() or {}).get("secure") is True)
    root, good = root_file(own, tmp_path), list_file(own, tmp_path)
    authority = own.community.authority_certificate()
    trust = trust_in(authority, revoked=own.community.revocation_list())
    assert curl(own, root, "/health", "--crlfile", good).returncode == 0
    assert dcmtk("echoscu", own, root, "+crl", good, "+crv").returncode == 0
    told = health_of(own.address, trust)
    assert told is not None
    assert told.distrust == ""
    revoke(own)
    revoked = list_file(own, tmp_path)
    refused = curl(own, root, "/health", "--crlfile", revoked)
    assert (refused.returncode, "revoked" in refused.stderr) == (60, True)
    assert dcmtk("echoscu", own, root, "+crl", revoked, "+crv").returncode != 0
    trust = trust_in(authority, revoked=own.community.revocation_list())
    told = health_of(own.address, trust)
    assert told is not None
    assert "revoked" in told.distrust, "an admin's tools see it, whatever the appliance itself has read"
    assert not echo(Peer("ERODE", own.address, DICOM_TLS, trust), "CT1")
    assert curl(own, root).returncode == 0, "who has no list believes it until the certificate ends"


def test_gurney_s_own_sessions_look_at_the_list(own: ApplianceProcess, tmp_path: Path) -> None:
    """`verify` has it from the directory, `refer` from a file; without one it asks nobody."""
    own.enrol(CT1)
    until(lambda: (own.health() or {}).get("secure") is True)
    at, root = f"https://{own.address}:{HTTPS}", root_file(own, tmp_path)
    directory = own.community.directory
    assert directory is not None
    assert Branch("erode", at, directory.authority, directory.revocations).health()["branch"] == "erode"
    assert "login or the password is wrong" in refer(at, "--ca", root, "--crl", list_file(own, tmp_path))
    revoke(own)
    assert Branch("erode", at, directory.authority, own.community.revocation_list().text).health() == {}
    said = refer(at, "--ca", root, "--crl", list_file(own, tmp_path))
    assert ("cannot be trusted" in said, "revoked" in said) == (True, True)
    assert "login or the password is wrong" in refer(at, "--ca", root)


def test_a_list_without_its_authority_or_that_is_none_is_wrong_usage(tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("nonsense")
    at = "https://127.0.0.1:1"
    assert "a revocation list needs its authority beside it" in refer(at, "--crl", str(nonsense), code=2)
    root = tmp_path / "root.pem"
    root.write_text(Authority.generate().root("kongu", {"erode"}, datetime.now(UTC)).pem)
    said = refer(at, "--ca", str(root), "--crl", str(nonsense), code=2)
    assert "not a revocation list: expected PEM or DER" in said


def refer(at: str, *options: str, code: int = 6) -> str:
    """What the command says for whom the appliance does not know."""
    command = [sys.executable, "-m", "cli", "refer", "--patient", "ER-1", "--to", "salem", "--at", at, "--login", "x"]
    environment = {**os.environ, "GURNEY_PASSWORD": "wrong"}
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stderr


def test_the_list_is_downloaded_at_the_page(own: ApplianceProcess, tmp_path: Path) -> None:
    """Also at the revoked appliance itself; its signature is the authority's."""
    assert httpx.get(f"http://{own.address}:{HTTP}/trust/revoked.crl", trust_env=False).status_code == 404
    own.enrol(CT1)
    until(lambda: (own.health() or {}).get("secure") is True)
    serial = f"{shown(own).serial:X}"
    revoke(own)
    until(lambda: (own.health() or {}).get("enrolled") is False)
    root = root_file(own, tmp_path)
    for ending, form in (("crl", "DER"), ("pem", "PEM")):
        file = tmp_path / f"revoked.{ending}"
        answer = httpx.get(f"http://{own.address}:{HTTP}/trust/revoked.{ending}", trust_env=False)
        file.write_bytes(answer.content)
        command = ["openssl", "crl", "-inform", form, "-in", str(file), "-CAfile", root, "-noout", "-text"]
        said = subprocess.run(command, capture_output=True, text=True)
        assert "verify OK" in said.stderr
        assert serial in said.stdout
    assert curl(own, root, "/trust/revoked.pem").returncode == 0
    assert httpx.get(f"http://{own.address}:{HTTP}/trust/revoked.exe", trust_env=False).status_code == 404


def test_a_list_that_has_ended_or_is_another_s_lets_nobody_in(own: ApplianceProcess) -> None:
    """Who asks for the list to be checked is not let through where it cannot be."""
    own.enrol(CT1)
    until(lambda: (own.health() or {}).get("secure") is True)
    authority, now = own.community.authority_certificate(), datetime.now(UTC)
    old = own.community.authority.revocation_list("kongu", {}, 1, now - timedelta(days=9), now - timedelta(days=8))
    strange = Authority.generate().revocation_list("kongu", {}, 1, now, now + timedelta(days=8))
    for revoked, words in ((old, "expired"), (strange, "CRL")):
        with pytest.raises(httpx.ConnectError, match=words):
            httpx.get(
                f"https://{own.address}:{HTTPS}/health", verify=trust_in(authority, revoked=revoked), trust_env=False
            )


def test_the_next_authority_is_shown_at_the_page_beside_the_present_one(own: ApplianceProcess) -> None:
    own.enrol(CT1)
    until(lambda: (own.health() or {}).get("secure") is True)
    at = f"http://{own.address}:{HTTP}/trust"
    assert httpx.get(f"{at}/next.crt", trust_env=False).status_code == 404
    assert own.community.directory is not None
    coming = Authority.generate().root("kongu", {"erode"}, datetime.now(UTC))
    own.community.directory = replace(own.community.directory, next_authority=coming.text)
    own.community.publish()
    until(lambda: httpx.get(f"{at}/next.crt", trust_env=False).status_code == 200)
    assert httpx.get(f"{at}/next.crt", trust_env=False).content == coming.der
    page = httpx.get(at, trust_env=False).text
    assert coming.fingerprint in page
    assert own.community.authority_certificate().fingerprint in page
