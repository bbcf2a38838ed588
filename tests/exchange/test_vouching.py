"""What the authority puts into a directory: one authority at a time, and a list of what it has withdrawn."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.authority import LIFETIME, Authority
from exchange.certificate import Certificate
from exchange.certification import certified
from exchange.community import CommunityKeys, unlocked
from exchange.directory import Directory, DirectoryBranch
from exchange.errors import Malformed
from exchange.keys import BranchKeys, SealingKey
from exchange.revocation_list import RevocationList
from exchange.tls_key import TlsKey
from exchange.vouching import vouched, was_replaced

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime.now(UTC)
KEYS, _ = CommunityKeys.generate()
NAMES = {"erode": frozenset({"erode", "10.20.1.10"}), "salem": frozenset({"salem", "10.20.2.10"})}


def authority_of(keys: CommunityKeys) -> Authority:
    assert keys.authority is not None
    return keys.authority


def entry(name: str, now: datetime = NOW) -> DirectoryBranch:
    bare = DirectoryBranch(name, name, name.upper(), 7, BranchKeys.generate().public, tls_key=TlsKey.generate().public)
    return certified(bare, NAMES[name], authority_of(KEYS), "kongu", now)


def following(
    before: Directory | None, *branches: DirectoryBranch, keys: CommunityKeys = KEYS, now: datetime = NOW
) -> Directory:
    version = before.version + 1 if before else 1
    return vouched(Directory("kongu", version, now, now + timedelta(days=365), branches, ()), before, keys)


def serial(branch: DirectoryBranch) -> int:
    return Certificate(branch.certificate).serial


FIRST = following(None, entry("erode"), entry("salem"))


def checked(folder: Path, directory: Directory, leaf: str) -> str:
    """What OpenSSL says of a certificate, by a directory's authority and revocation list."""
    (folder / "root.pem").write_text(Certificate(directory.authority).pem)
    (folder / "crl.pem").write_text(RevocationList(directory.revocations).pem)
    (folder / "leaf.pem").write_text(Certificate(leaf).pem)
    command = ["openssl", "verify", "-x509_strict", "-crl_check", "-CAfile", "root.pem", "-CRLfile", "crl.pem"]
    said = subprocess.run([*command, "leaf.pem"], cwd=folder, capture_output=True, text=True)
    return said.stdout + said.stderr


def test_what_is_withdrawn_is_revoked_and_the_rest_is_not(tmp_path: Path) -> None:
    erode, salem = FIRST.branches
    assert "leaf.pem: OK" in checked(tmp_path, FIRST, erode.certificate)
    after = following(FIRST, replace(erode, revoked=True, certificate=""), salem)
    assert "certificate revoked" in checked(tmp_path, after, erode.certificate)
    assert "leaf.pem: OK" in checked(tmp_path, after, salem.certificate)
    assert set(RevocationList(after.revocations).revoked) == {serial(erode)}


def test_of_each_branch_one_certificate_is_good_at_a_time() -> None:
    """A renewed one does not leave a second that would outlive a revocation."""
    erode, salem = FIRST.branches
    later = NOW + LIFETIME * 0.7
    renewed = certified(erode, NAMES["erode"], authority_of(KEYS), "kongu", later)
    second = following(FIRST, renewed, salem, now=later)
    assert set(RevocationList(second.revocations).revoked) == {serial(erode)}
    third = following(second, replace(renewed, revoked=True, certificate=""), salem, now=later + timedelta(days=1))
    assert set(RevocationList(third.revocations).revoked) == {serial(erode), serial(renewed)}
    gone = following(third, salem, now=later + timedelta(days=2))
    assert RevocationList(gone.revocations).revoked == RevocationList(third.revocations).revoked


def test_an_entry_stays_until_its_certificate_has_ended() -> None:
    erode, salem = FIRST.branches
    second = following(FIRST, replace(erode, revoked=True, certificate=""), salem)
    just = following(second, salem, now=Certificate(erode.certificate).until - timedelta(hours=1))
    assert set(RevocationList(just.revocations).revoked) == {serial(erode)}
    ended = following(second, salem, now=Certificate(erode.certificate).until + timedelta(days=2))
    assert RevocationList(ended.revocations).revoked == {}
    numbers = [RevocationList(each.revocations).x509.extensions[1].value for each in (FIRST, second, just)]
    assert [number.crl_number for number in numbers] == [1, 2, 3]  # type: ignore[attr-defined]


def test_another_authority_takes_over_in_one_version(tmp_path: Path) -> None:
    new = KEYS.with_authority_replaced()
    after = following(FIRST, *FIRST.branches, keys=new)
    assert Certificate(after.authority).key_id == authority_of(new).key_id != Certificate(FIRST.authority).key_id
    for before, now in zip(FIRST.branches, after.branches, strict=True):
        assert replace(now, certificate="") == replace(before, certificate="")
        assert Certificate(now.certificate).names == Certificate(before.certificate).names
        assert "leaf.pem: OK" in checked(tmp_path, after, now.certificate)
        assert "error" in checked(tmp_path, after, before.certificate), "the former one's is not believed"
    assert after.former_authorities == (FIRST.authority,)
    assert was_replaced(KEYS.authority, after)
    assert not was_replaced(new.authority, after)
    again = following(after, *after.branches, keys=new)
    assert (again.authority, again.branches) == (after.authority, after.branches), "and rests then"
    assert again.former_authorities == after.former_authorities


def test_an_announced_authority_is_shown_first_and_takes_over_as_it_was_shown() -> None:
    announced = KEYS.with_next_authority()
    second = following(FIRST, *FIRST.branches, keys=announced)
    assert (second.authority, second.branches) == (FIRST.authority, FIRST.branches), "nothing else changes"
    assert second.next_authority
    third = following(second, *second.branches, keys=announced.with_authority_replaced())
    assert third.authority == second.next_authority, "the very certificate that people have installed"
    assert third.next_authority == ""
    assert announced.with_next_authority() == announced


def test_both_authorities_are_locked_with_the_other_keys() -> None:
    admin = SealingKey.generate()
    announced = KEYS.with_next_authority()
    assert unlocked(announced.locked([admin.public]), [admin.text]) == announced
    assert unlocked(KEYS.locked([admin.public]), [admin.text]) == KEYS


def test_a_full_list_still_fits_into_a_directory() -> None:
    """The oldest entries make way: a list that does not fit would stop the directory for everyone."""
    revoked = {number << 140: NOW - timedelta(seconds=number) for number in range(1, 12_000)}
    full = authority_of(KEYS).revocation_list("kongu", revoked, 1, NOW, NOW + timedelta(days=1))
    before = replace(FIRST, revocations=full.text)
    after = following(before, *FIRST.branches)
    assert len(RevocationList(after.revocations).revoked) == 10_000
    assert 1 << 140 in RevocationList(after.revocations).revoked
    assert Directory.decode(after.encode()) == after


def test_what_is_no_revocation_list_is_malformed() -> None:
    for junk in ("hello", Certificate(FIRST.authority).text):
        with pytest.raises(Malformed):
            _ = RevocationList(junk).revoked
