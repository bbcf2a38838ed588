"""An appliance over TLS, through real clients (curl, httpx, OpenSSL, `gurney`): whom they believe, what is spoken."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from exchange.authority import Authority
from exchange.trust import trust_in
from tests.appliance.hospital import PASSWORD
from tests.appliance.tls import HTTP, HTTPS, curl, dcmtk, erode, root_file, shown

if TYPE_CHECKING:
    from pathlib import Path

    from tests.appliance.process import ApplianceProcess

__all__ = ["erode"]


@pytest.fixture(scope="module")
def doctor(erode: ApplianceProcess) -> str:
    """A login at the appliance."""
    told = {"login": "dr.anbu", "code": erode.community.codes["erode"]["dr.anbu"], "password": PASSWORD}
    place = f"https://{erode.address}:{HTTPS}/api/invitations/accept"
    trust = trust_in(erode.community.authority_certificate())
    assert httpx.post(place, json=told, verify=trust, trust_env=False).status_code == 204
    return "dr.anbu"


def test_a_client_that_knows_the_authority_is_served(erode: ApplianceProcess, tmp_path: Path) -> None:
    root = root_file(erode, tmp_path)
    assert '"branch":"erode"' in curl(erode, root).stdout
    trust = trust_in(erode.community.authority_certificate())
    answer = httpx.get(f"https://{erode.address}:{HTTPS}/health", verify=trust, trust_env=False)
    assert answer.json()["secure"] is True
    assert shown(erode).names == {"erode", erode.address}


def test_another_authority_is_refused(erode: ApplianceProcess, tmp_path: Path) -> None:
    """One that makes itself out to be the same, and the whole of the web's."""
    stranger = Authority.generate().root("kongu", {"erode"}, datetime.now(UTC))
    refused = curl(erode, root_file(erode, tmp_path, stranger))
    assert refused.returncode == 60, "CURLE_PEER_FAILED_VERIFICATION"
    for trust in (trust_in(stranger), ssl.create_default_context()):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(f"https://{erode.address}:{HTTPS}/health", verify=trust, trust_env=False)
    assert dcmtk("echoscu", erode, root_file(erode, tmp_path, stranger)).returncode != 0


def test_another_branch_s_address_is_refused(erode: ApplianceProcess, tmp_path: Path) -> None:
    """As if somebody had turned a name over to this appliance: it has no certificate for that."""
    at = ("--connect-to", f"::{erode.address}:{HTTPS}")
    root = root_file(erode, tmp_path)
    command = ["curl", "-sS", "--noproxy", "*", "--cacert", root, *at]
    for host, code in (("erode", 0), ("salem", 60), ("10.20.2.10", 60)):
        done = subprocess.run([*command, f"https://{host}:{HTTPS}/health"], capture_output=True, timeout=30)
        assert done.returncode == code, host


@pytest.mark.parametrize(("options", "accepted"), [
    (("--tlsv1.3",), True),
    (("--tlsv1.2", "--tls-max", "1.2"), True),
    (("--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"), False),
    (("--tls-max", "1.2", "--ciphers", "AES128-SHA256:ECDHE-ECDSA-AES128-SHA256"), False),
])  # fmt: skip
def test_versions_and_ciphers_are_those_of_bcp_195(
    erode: ApplianceProcess, tmp_path: Path, options: tuple[str, ...], *, accepted: bool
) -> None:
    """RFC 9325 3.1.1 and 4.2: nothing below TLS 1.2, nothing without forward secrecy."""
    done = curl(erode, root_file(erode, tmp_path), "/health", *options)
    assert (done.returncode == 0) == accepted, done.stderr


def test_the_session_s_cookie_is_for_tls_and_this_host_alone(erode: ApplianceProcess, doctor: str) -> None:
    trust = trust_in(erode.community.authority_certificate())
    with httpx.Client(base_url=f"https://{erode.address}:{HTTPS}", verify=trust, trust_env=False) as client:
        answer = client.post("/api/session", json={"login": doctor, "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-gurney=")
        assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
        assert client.get("/api/studies").status_code == 200
        client.cookies.clear()
        assert client.get("/api/studies").status_code == 401
        assert client.get("/api/studies", auth=(doctor, PASSWORD)).status_code == 200, "HTTP Basic over TLS"


def test_the_authority_is_downloaded_at_the_page(erode: ApplianceProcess, tmp_path: Path) -> None:
    root = erode.community.authority_certificate()
    page = httpx.get(f"http://{erode.address}:{HTTP}/trust", trust_env=False)
    assert root.fingerprint in page.text
    assert "You see this page in clear" in page.text
    for ending, form in (("crt", "DER"), ("pem", "PEM")):
        file = tmp_path / f"authority.{ending}"
        file.write_bytes(httpx.get(f"http://{erode.address}:{HTTP}/trust/authority.{ending}", trust_env=False).content)
        command = ["openssl", "x509", "-inform", form, "-in", str(file), "-noout", "-fingerprint", "-sha256"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert said.strip().endswith(root.fingerprint)
    assert httpx.get(f"http://{erode.address}:{HTTP}/trust/authority.key", trust_env=False).status_code == 404


def test_the_key_is_the_service_s_alone_and_in_no_log(erode: ApplianceProcess) -> None:
    key = erode.archive / "keys" / "tls-key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    secret = key.read_text().splitlines()[1]
    assert secret not in erode.log.read_text()
    published = b"".join(path.read_bytes() for path in erode.community.root.rglob("*") if path.is_file())
    assert secret.encode() not in published


def refer(appliance: ApplianceProcess, *options: str) -> subprocess.CompletedProcess[str]:
    """`gurney refer` to a branch that nobody knows: it is answered, once it was let in."""
    asked = ["--patient", "nobody", "--to", "salem", "--login", "dr.anbu"]
    at = ["--at", f"https://{appliance.address}:{HTTPS}"]
    command = [sys.executable, "-m", "cli", "refer", *asked, *at, *options]
    environment = {**os.environ, "GURNEY_PASSWORD": PASSWORD}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_gurney_refer_goes_to_whom_the_authority_vouches_for(
    erode: ApplianceProcess, doctor: str, tmp_path: Path
) -> None:
    done = refer(erode, "--ca", root_file(erode, tmp_path))
    assert done.returncode == 6
    assert "salem is not in the directory" in done.stderr, "it was let in, and answered"
    (tmp_path / "authority.der").write_bytes(erode.community.authority_certificate().der)
    assert refer(erode, "--ca", str(tmp_path / "authority.der")).stderr == done.stderr
    stranger = Authority.generate().root("kongu", {"erode"}, datetime.now(UTC))
    logins = erode.rows("SELECT count(*) FROM audit WHERE action = 'login'")
    for options in (("--ca", root_file(erode, tmp_path, stranger)), ()):
        refused = refer(erode, *options)
        assert refused.returncode == 6
        assert "cannot be trusted" in refused.stderr
    assert erode.rows("SELECT count(*) FROM audit WHERE action = 'login'") == logins, "and was told no password"
