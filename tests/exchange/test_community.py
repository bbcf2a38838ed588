"""The community's keys: locked to admins, opened by each of them or by the recovery key."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from exchange.community import CommunityKeys, identities_in, recipient_of, recovery_key, unlocked
from exchange.errors import CannotOpen, Malformed
from exchange.keys import SealingKey

if TYPE_CHECKING:
    from pathlib import Path

ANBU, DEVI, MALLORY = (SealingKey.generate() for _ in range(3))
KEYS, RECOVERY_SECRET = CommunityKeys.generate()
LOCKED = KEYS.locked([ANBU.public, DEVI.public])


@pytest.mark.parametrize("admin", [ANBU, DEVI])
def test_each_admin_opens_them(admin: SealingKey) -> None:
    assert unlocked(LOCKED, [MALLORY.text, admin.text]) == KEYS


def test_a_lost_laptop_loses_nothing() -> None:
    assert unlocked(LOCKED, [RECOVERY_SECRET]) == KEYS
    assert recovery_key(RECOVERY_SECRET).public == KEYS.recovery


def test_nobody_else_opens_them() -> None:
    with pytest.raises(CannotOpen):
        unlocked(LOCKED, [MALLORY.text])
    with pytest.raises(CannotOpen):
        unlocked("junk", [ANBU.text])


def test_they_fit_a_document_of_the_cloud() -> None:
    assert LOCKED.isascii()
    assert "]]>" not in LOCKED
    assert KEYS.sign.text not in LOCKED
    assert unlocked(LOCKED.replace("\n", "\r\n"), [ANBU.text]) == KEYS


def test_no_admin_is_an_error() -> None:
    with pytest.raises(ValueError, match="no admin"):
        KEYS.locked([])


def test_an_admins_ssh_key_serves(tmp_path: Path) -> None:
    private = tmp_path / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", private], check=True)
    (identity,) = identities_in(private.read_text())
    document = KEYS.locked([private.with_suffix(".pub").read_text()])
    assert unlocked(document, [identity]) == KEYS
    assert unlocked(KEYS.locked([recipient_of(identity)]), [identity]) == KEYS


def test_the_age_tool_opens_them_with_the_recovery_secret(tmp_path: Path) -> None:
    recovery = tmp_path / "recovery"
    recovery.write_text(RECOVERY_SECRET)
    recovery.chmod(0o600)
    opened = subprocess.run(["age", "-d", "-i", recovery], input=LOCKED.encode(), capture_output=True, check=True)
    assert KEYS.sign.text.encode() in opened.stdout


def test_an_identity_file_of_age_is_read() -> None:
    text = f"# created: 2026-11-21\n# public key: {ANBU.public}\n{ANBU.text}\n\n{DEVI.text}\n"
    assert identities_in(text) == (ANBU.text, DEVI.text)
    assert recipient_of(ANBU.text) == ANBU.public


@pytest.mark.parametrize(
    "junk", ["", "hello", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"]
)
def test_what_is_no_identity_is_refused(junk: str) -> None:
    with pytest.raises(Malformed):
        unlocked(LOCKED, [junk])
    with pytest.raises(Malformed):
        recovery_key(junk)
