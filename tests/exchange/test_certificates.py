"""The community's authority and the certificates of its branches, judged by OpenSSL; and when there is a new one."""

from __future__ import annotations

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from exchange.admission import Applicant, admitted
from exchange.authority import LIFETIME, ROOT_LIFETIME, Authority, permits
from exchange.certificate import Certificate
from exchange.certification import certified, is_due
from exchange.directory import DirectoryBranch
from exchange.errors import BadSignature, Malformed
from exchange.keys import BranchKeys
from exchange.proof import prove, prove_request
from exchange.tls_key import TlsKey, load_tls_key, own_tls_key, requested_key

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(UTC)
ERODE, SALEM = frozenset({"erode", "10.20.1.10"}), frozenset({"salem", "10.20.2.10"})
AUTHORITY, KEY = Authority.generate(), TlsKey.generate()
ROOT = AUTHORITY.root("kongu", ERODE | SALEM, NOW)
KEYS = BranchKeys.generate()


def entry(**changes: object) -> DirectoryBranch:
    known = DirectoryBranch("erode", "Erode", "ERODE", 7, KEYS.public, tls_key=KEY.public)
    return replace(known, **changes)


def openssl(folder: Path, root: Certificate, leaf: Certificate, *options: str) -> str:
    (folder / "root.pem").write_text(root.pem)
    (folder / "leaf.pem").write_text(leaf.pem)
    command = [
        "openssl",
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-CAfile",
        "root.pem",
        *options,
        "leaf.pem",
    ]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return said.stdout + said.stderr


@pytest.mark.parametrize("reached", [("-verify_ip", "10.20.1.10"), ("-verify_hostname", "erode")])
def test_openssl_accepts_it_for_its_name_and_address(tmp_path: Path, reached: tuple[str, str]) -> None:
    leaf = AUTHORITY.certify("kongu", "erode", KEY.public, ERODE, NOW)
    assert "leaf.pem: OK" in openssl(tmp_path, ROOT, leaf, *reached)
    assert leaf.names == ERODE
    assert leaf.until - NOW <= LIFETIME
    assert ROOT.until - NOW <= ROOT_LIFETIME


@pytest.mark.parametrize("reached", [("-verify_ip", "10.20.2.10"), ("-verify_hostname", "salem")])
def test_it_is_for_no_other_branch(tmp_path: Path, reached: tuple[str, str]) -> None:
    leaf = AUTHORITY.certify("kongu", "erode", KEY.public, ERODE, NOW)
    assert "mismatch" in openssl(tmp_path, ROOT, leaf, *reached)


@pytest.mark.parametrize("name", ["bank.example.org", "8.8.8.8", "karur", "xerode"])
def test_the_authority_can_vouch_for_nothing_outside_its_community(tmp_path: Path, name: str) -> None:
    """Whoever steals its key gains nothing against the other sites of the PCs that trust it."""
    forged = AUTHORITY.certify("kongu", "erode", KEY.public, {name}, NOW)
    assert "permitted subtree violation" in openssl(tmp_path, ROOT, forged)
    assert not permits(ROOT, {name})


def test_a_branch_cannot_vouch_for_another(tmp_path: Path) -> None:
    """A certificate that an appliance's own key signed is no certificate: it is no authority."""
    leaf = AUTHORITY.certify("kongu", "erode", KEY.public, ERODE, NOW)
    private = KEY._key
    below = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(leaf.x509.subject)
        .public_key(TlsKey.generate()._key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("salem")]), critical=True)
        .sign(private, SHA256())
    )
    (tmp_path / "middle.pem").write_text(leaf.pem)
    said = openssl(tmp_path, ROOT, Certificate.of(below), "-untrusted", "middle.pem")
    assert "invalid CA certificate" in said
    assert "OK" not in said


def test_another_authority_of_the_same_name_is_not_believed(tmp_path: Path) -> None:
    leaf = Authority.generate().certify("kongu", "erode", KEY.public, ERODE, NOW)
    assert "error" in openssl(tmp_path, ROOT, leaf)


def test_one_that_has_ended_is_refused(tmp_path: Path) -> None:
    old = AUTHORITY.certify("kongu", "erode", KEY.public, ERODE, NOW - LIFETIME - timedelta(days=2))
    assert "certificate has expired" in openssl(tmp_path, ROOT, old)


def test_a_wider_root_of_the_same_key_holds_beside_the_older_one(tmp_path: Path) -> None:
    """A PC that trusts the root of last year goes on to trust its own branch's page."""
    wider = AUTHORITY.root_like(ROOT, "kongu", ERODE | SALEM | {"karur", "10.20.3.10"}, NOW)
    assert wider != ROOT
    leaf = AUTHORITY.certify("kongu", "erode", KEY.public, ERODE, NOW)
    for root in (ROOT, wider):
        assert "OK" in openssl(tmp_path, root, leaf)
    assert AUTHORITY.root_like(wider, "kongu", ERODE, NOW) == wider, "it is kept as long as it serves"
    late = NOW + ROOT_LIFETIME * 3 / 4
    assert AUTHORITY.root_like(wider, "kongu", ERODE, late).until > wider.until
    assert Authority.generate().root_like(wider, "kongu", ERODE, NOW) != wider


def test_an_address_of_the_web_is_permitted_when_it_is_a_branch_s() -> None:
    root = AUTHORITY.root("kongu", {"erode", "203.0.113.7"}, NOW)
    assert permits(root, {"erode", "203.0.113.7", "10.1.2.3"})
    assert not permits(root, {"203.0.113.8"})


def test_first_certificate_new_names_and_renewal() -> None:
    first = certified(entry(), ERODE, AUTHORITY, "kongu", NOW)
    assert Certificate(first.certificate).names == ERODE
    assert certified(first, ERODE, AUTHORITY, "kongu", NOW + LIFETIME / 2) == first, "two thirds of its life it is kept"
    late = NOW + LIFETIME * 0.7
    again = certified(first, ERODE, AUTHORITY, "kongu", late)
    assert Certificate(again.certificate).until > Certificate(first.certificate).until
    moved = frozenset({"erode", "10.20.1.11"})
    assert Certificate(certified(first, moved, AUTHORITY, "kongu", NOW).certificate).names == moved
    assert not is_due(first, frozenset({"erode"}), AUTHORITY.key_id, NOW), "what is not known to be wrong stays"
    assert is_due(replace(first, tls_key=TlsKey.generate().public), ERODE, AUTHORITY.key_id, NOW)
    assert is_due(first, ERODE, Authority.generate().key_id, NOW)
    without_vm = certified(first, frozenset(), AUTHORITY, "kongu", late)
    assert Certificate(without_vm.certificate).names == ERODE


def test_a_revoked_branch_has_none_and_gets_none() -> None:
    first = certified(entry(), ERODE, AUTHORITY, "kongu", NOW)
    assert not is_due(replace(first, revoked=True), ERODE, AUTHORITY.key_id, NOW + LIFETIME)
    assert certified(replace(first, revoked=True), ERODE, AUTHORITY, "kongu", NOW).certificate == ""
    assert certified(entry(tls_key=""), ERODE, AUTHORITY, "kongu", NOW).certificate == ""


def test_who_asks_shows_that_the_key_is_its_own() -> None:
    assert requested_key(KEY.request()) == KEY.public
    raw = bytearray(base64.b64decode(KEY.request()))
    raw[-1] ^= 1
    rsa = generate_rsa(65537, 2048)
    for junk in (
        "",
        "hello",
        base64.b64encode(raw).decode(),
        "A" * 1_000_000,
        base64.b64encode(
            x509.CertificateSigningRequestBuilder()
            .subject_name(x509.Name([]))
            .sign(rsa, SHA256())
            .public_bytes(Encoding.DER)
        ).decode(),
    ):
        with pytest.raises(Malformed):
            requested_key(junk)


def test_the_branch_s_keys_vouch_for_the_request() -> None:
    proof = prove(KEYS, "kongu", "erode", 7)
    asked, vouched = KEY.request(), prove_request(KEYS, KEY.request(), "kongu", "erode", 7)
    applicant = Applicant("erode", "Erode", "ERODE", 7, KEYS.public, proof, request=asked, request_proof=vouched)
    with pytest.raises(BadSignature):  # another request than the one that was vouched for
        admitted(applicant, known=None, community="kongu")
    vouched = prove_request(KEYS, asked, "kongu", "erode", 7)
    entered = admitted(replace(applicant, request_proof=vouched), known=None, community="kongu")
    assert entered.tls_key == KEY.public
    for elsewhere in (("kongu", "salem", 7), ("kongu", "erode", 8), ("nilgiris", "erode", 7)):
        lifted = replace(applicant, request_proof=prove_request(KEYS, asked, *elsewhere))
        with pytest.raises(BadSignature):
            admitted(lifted, known=None, community="kongu")
    by_another = replace(applicant, request_proof=prove_request(BranchKeys.generate(), asked, "kongu", "erode", 7))
    with pytest.raises(BadSignature):
        admitted(by_another, known=None, community="kongu")


def test_an_appliance_that_asks_for_nothing_keeps_what_it_has() -> None:
    known = certified(entry(), ERODE, AUTHORITY, "kongu", NOW)
    applicant = Applicant("erode", "Erode", "ERODE", 7, KEYS.public, prove(KEYS, "kongu", "erode", 7))
    assert admitted(applicant, known=known, community="kongu") == known


def test_new_branch_keys_by_fingerprint_take_no_certificate_along() -> None:
    known = certified(entry(), ERODE, AUTHORITY, "kongu", NOW)
    new = BranchKeys.generate()
    applicant = Applicant("erode", "Erode", "ERODE", 7, new.public, prove(new, "kongu", "erode", 7))
    entered = admitted(applicant, known=known, community="kongu", rekey=new.public.fingerprint)
    assert (entered.tls_key, entered.certificate) == ("", "")


def test_the_key_is_made_once_and_kept_for_its_owner(tmp_path: Path) -> None:
    made = own_tls_key(tmp_path / "keys")
    assert own_tls_key(tmp_path / "keys") == made == load_tls_key(tmp_path / "keys")
    assert (tmp_path / "keys" / "tls-key.pem").stat().st_mode & 0o777 == 0o600
    assert made.text not in repr(made)
    assert AUTHORITY.text not in repr(AUTHORITY)


def test_what_is_no_certificate_is_malformed() -> None:
    for junk in ("", "hello", base64.b64encode(b"\x30\x03\x02\x01\x01").decode()):
        with pytest.raises(Malformed):
            Certificate.from_text(junk)
        with pytest.raises(Malformed):
            Authority(junk)
