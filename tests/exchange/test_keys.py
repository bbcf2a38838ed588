"""Keys, and the file that keeps them."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from exchange.errors import AlreadyThere, BadSignature, Malformed, NotThere
from exchange.keys import BranchKeys, PublicKeys, SealingKey, SigningKey, VerifyKey, load_keys, own_keys, save_keys

if TYPE_CHECKING:
    from pathlib import Path


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    key, other = SigningKey.generate(), SigningKey.generate()
    signature = key.sign(b"message")
    key.public.verify(signature, b"message")
    with pytest.raises(BadSignature):
        key.public.verify(signature, b"massage")
    with pytest.raises(BadSignature):
        other.public.verify(signature, b"message")


def test_keys_survive_their_text() -> None:
    keys = BranchKeys.generate()
    again = BranchKeys(SigningKey.from_text(keys.sign.text + "\n"), SealingKey.from_text(f" {keys.seal.text}\n"))
    assert again == keys
    assert again.public.fingerprint == keys.public.fingerprint


def test_no_secret_shows_in_a_log_line() -> None:
    keys = BranchKeys.generate()
    assert keys.sign.text not in repr(keys)
    assert keys.seal.text not in repr(keys)


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", "A" * 43 + "B", "é" * 44])
def test_what_is_no_signing_key_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        SigningKey.from_text(text)
    with pytest.raises(Malformed):
        VerifyKey(text)


@pytest.mark.parametrize("text", ["", "AGE-SECRET-KEY-1", "age1xyz"])
def test_what_is_no_sealing_key_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        SealingKey.from_text(text)


@pytest.mark.parametrize("seal", ["age1", "age1yubikey1qwerty", "ssh-ed25519 AAAA", "'; DROP"])
def test_public_keys_are_checked_when_they_are_made(seal: str) -> None:
    with pytest.raises(ValueError, match="age recipient"):
        PublicKeys(sign=SigningKey.generate().public.text, seal=seal)


def test_own_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    folder = tmp_path / "archive" / "keys"
    first = own_keys(folder)
    assert own_keys(folder) == first == load_keys(folder)
    (saved,) = folder.iterdir()
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_keys_are_never_replaced(tmp_path: Path) -> None:
    keys = own_keys(tmp_path)
    with pytest.raises(AlreadyThere):
        save_keys(tmp_path, BranchKeys.generate())
    assert load_keys(tmp_path) == keys


def test_no_keys_yet(tmp_path: Path) -> None:
    with pytest.raises(NotThere):
        load_keys(tmp_path / "missing")
