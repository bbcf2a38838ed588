"""An appliance over TLS, through real clients: curl, httpx, OpenSSL, DCMTK; right and wrong authorities, renewal."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from appliance.dimse.scu import Peer, echo
from exchange.authority import LIFETIME, Authority
from exchange.certificate import Certificate
from exchange.settings import Modality
from exchange.trust import trust_in
from tests.appliance.community import Community
from tests.appliance.hospital import PASSWORD, until
from tests.appliance.process import ApplianceProcess
from tests.appliance.scanner import ct_files, statuses, storescu

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


@pytest.fixture(scope="module")
def doctor(erode: ApplianceProcess) -> str:
    """A login at the appliance."""
    told = {"login": "dr.anbu", "code": erode.community.codes["erode"]["dr.anbu"], "password": PASSWORD}
    place = f"https://{erode.address}:{HTTPS}/api/invitations/accept"
    trust = trust_in(erode.community.authority_certificate())
    assert httpx.post(place, json=told, verify=trust, trust_env=False).status_code == 204
    return "dr.anbu"


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
    pem = ssl.get_server_certificate((appliance.address, port), timeout=10)
    return Certificate("".join(pem.split("-----")[2].split()))


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


@pytest.mark.parametrize("profile", ["+py", "+px", "+pz"])
def test_dcmtk_s_profiles_of_bcp_195_are_spoken(erode: ApplianceProcess, tmp_path: Path, profile: str) -> None:
    """Non-downgrading, plain, extended (which wants ciphers of 256 bits)."""
    root = root_file(erode, tmp_path)
    command = ["echoscu", "-v", "-aet", "CT1", "-aec", "ERODE", "+tla", "+cf", root, profile]
    done = subprocess.run([*command, erode.address, str(DICOM_TLS)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_study_sent_over_tls_is_kept_and_a_stranger_s_is_not(erode: ApplianceProcess, tmp_path: Path) -> None:
    root = root_file(erode, tmp_path)
    files = ct_files(tmp_path / "ct", 20)
    before = erode.rows("SELECT count(*) FROM instance")[0][0]
    done = dcmtk("storescu", erode, root, *files)
    assert statuses(done.stdout + done.stderr) == ["Success"] * 20
    assert erode.rows("SELECT count(*) FROM instance") == [(before + 20,)]
    command = ["storescu", "-aet", "STRANGER", "-aec", "ERODE", "+tla", "+cf", root, erode.address, str(DICOM_TLS)]
    assert subprocess.run([*command, str(files[0])], capture_output=True, timeout=60).returncode != 0
    assert statuses(storescu(erode.address, *ct_files(tmp_path / "clear", 1))) == ["Success"], "in clear beside it"


def test_large_images_arrive_whole_over_tls(erode: ApplianceProcess, tmp_path: Path) -> None:
    """Larger than a record of TLS, than a PDU, and than what the kernel holds."""
    (file,) = ct_files(tmp_path / "large", 1)
    import pydicom

    dataset = pydicom.dcmread(file)
    dataset.Rows, dataset.Columns = 3000, 2500
    dataset.PixelData = os.urandom(3000 * 2500 * 2)
    dataset.save_as(file)
    done = dcmtk("storescu", erode, root_file(erode, tmp_path), file)
    assert statuses(done.stdout + done.stderr) == ["Success"]
    (kept,) = [path for path in (erode.archive / "instances").rglob("*.dcm") if path.stat().st_size > 15_000_000]
    assert pydicom.dcmread(kept).PixelData == dataset.PixelData


def test_who_says_nothing_does_not_hold_up_others(erode: ApplianceProcess, tmp_path: Path) -> None:
    """Connections that never begin the handshake: pynetdicom alone would wait for one before it takes the next."""
    idle = [socket.create_connection((erode.address, port)) for port in (HTTPS, DICOM_TLS) for _ in range(3)]
    try:
        root = root_file(erode, tmp_path)
        assert dcmtk("echoscu", erode, root).returncode == 0
        assert curl(erode, root).returncode == 0
    finally:
        for connection in idle:
            connection.close()


def test_plain_dicom_and_junk_at_the_tls_port_end_alone(erode: ApplianceProcess, tmp_path: Path) -> None:
    command = ["echoscu", "-aet", "CT1", "-aec", "ERODE", erode.address, str(DICOM_TLS)]
    assert subprocess.run(command, capture_output=True, timeout=60).returncode != 0
    with socket.create_connection((erode.address, DICOM_TLS), timeout=10) as junk:
        junk.sendall(b"\x16\x03\x01\xff\xff" + b"\xff" * 100)
        try:
            while junk.recv(4096):
                pass
        except ConnectionError:
            pass
    assert dcmtk("echoscu", erode, root_file(erode, tmp_path)).returncode == 0
    assert "Traceback" not in erode.log.read_text()


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


def test_our_own_dicom_client_verifies_as_well(erode: ApplianceProcess) -> None:
    root, stranger = erode.community.authority_certificate(), Authority.generate()
    peer = Peer("ERODE", erode.address, DICOM_TLS, trust_in(root))
    assert echo(peer, "CT1")
    assert not echo(replace(peer, trust=trust_in(stranger.root("kongu", {"erode"}, datetime.now(UTC)))), "CT1")


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
    from exchange.tls_key import TlsKey

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


WIRE = 'ip link set lo up && ip addr add 10.20.1.10/24 dev lo && exec "$@"'


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network of its own")
def test_whoever_is_not_on_this_machine_is_led_to_tls(tmp_path: Path) -> None:
    """In a network of its own, where the appliance is reached at an address that is not loopback."""
    own = ApplianceProcess(tmp_path / "erode", Community(tmp_path / "exchange"), address="10.20.1.10")
    own.start(wait=False, prefix=("unshare", "-n", "sh", "-c", WIRE, "sh"))
    assert own.process is not None

    def ask(url: str, *options: str) -> str:
        """Status, place that is pointed to, and text."""
        command = ["nsenter", "-t", str(own.process.pid), "-n", "curl", "-sS", "--noproxy", "*", *options, url]  # type: ignore[union-attr]
        told = ["-w", " %{http_code} %{redirect_url}"]
        return subprocess.run([*command, *told], capture_output=True, text=True, timeout=30).stdout

    try:
        until(lambda: ask("http://10.20.1.10:8080/health").endswith(" 200 "), 60)
        assert ask("http://10.20.1.10:8080/login").endswith(" 200 "), "in clear as long as there is nothing else"
        until((own.archive / "keys" / "enrolment.json").exists)
        own.community.admit_file("erode", own.archive / "keys", own.address)
        until(lambda: '"secure":true' in ask("http://10.20.1.10:8080/health"))
        assert ask("http://10.20.1.10:8080/login?next=/a").endswith(" 308 https://10.20.1.10:8443/login?next=/a")
        asked_at_80 = ask("http://10.20.1.10:8080/", "-H", "Host: 10.20.1.10")
        assert asked_at_80.endswith(" 308 https://10.20.1.10/"), "where the firewall hands on 80 and 443"
        password = ("-d", '{"login": "a", "password": "b"}', "-H", "Content-Type: application/json")
        assert " 403 " in ask("http://10.20.1.10:8080/api/session", *password)
        assert " 421 " in ask("http://10.20.1.10:8080/", "-H", "Host: evil.example"), "never to another's name"
        for path in ("/trust", "/trust/authority.crt", "/health", "/favicon.ico"):
            assert " 200 " in ask(f"http://10.20.1.10:8080{path}", *(["-o", os.devnull] if "." in path else [])), path
        root = root_file(own, tmp_path)
        assert ask("https://10.20.1.10:8443/login", "--cacert", root).endswith(" 200 ")
        assert " 401 " in ask("https://10.20.1.10:8443/api/session", "--cacert", root, *password)
    finally:
        own.kill()
