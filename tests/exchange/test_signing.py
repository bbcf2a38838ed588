"""Signed envelopes and canonical bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import BadSignature, Malformed
from exchange.invitation import Invitation
from exchange.keys import SigningKey
from exchange.settings import Settings, StaffMember
from exchange.signing import open_signed, sign, unverified

KEY = SigningKey.generate()


@given(st.binary(max_size=2000))
def test_what_was_signed_comes_back(body: bytes) -> None:
    envelope = sign("manifest", body, KEY)
    assert open_signed("manifest", envelope, [SigningKey.generate().public, KEY.public]) == body
    assert unverified(envelope) == body


@given(st.binary(min_size=1, max_size=100), st.data())
def test_one_changed_bit_is_seen(body: bytes, data: st.DataObject) -> None:
    envelope = bytearray(sign("manifest", body, KEY))
    bit = data.draw(st.integers(0, len(envelope) * 8 - 1))
    envelope[bit // 8] ^= 1 << bit % 8
    try:
        opened = open_signed("manifest", bytes(envelope), [KEY.public])
    except (BadSignature, Malformed):
        return
    assert opened == body  # only the purpose beside it, which nobody reads, may differ


def test_a_signature_for_one_purpose_is_none_for_another() -> None:
    envelope = sign("settings", b"{}", KEY)
    relabelled = envelope.replace(b'"settings"', b'"directory"')
    with pytest.raises(BadSignature):
        open_signed("directory", relabelled, [KEY.public])


def test_no_key_accepts_nothing() -> None:
    with pytest.raises(BadSignature):
        open_signed("manifest", sign("manifest", b"x", KEY), [])


@pytest.mark.parametrize("junk", [b"", b"[]", b"{}", b"null", b'{"body":1,"signature":2}', b"\xff", b"[" * 100_000])
def test_junk_is_malformed(junk: bytes) -> None:
    with pytest.raises(Malformed):
        open_signed("manifest", junk, [KEY.public])


def test_one_value_has_one_sequence_of_bytes() -> None:
    utc = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    bytes_of = {
        Invitation(code_digest="0" * 64, expires=moment).encode()
        for moment in (utc, utc.astimezone(timezone(timedelta(hours=5, minutes=30))))
    }
    assert bytes_of == {b'{"code_digest":"' + b"0" * 64 + b'","expires":"2026-01-02T03:04:05Z"}'}


def test_a_newer_field_is_read_over() -> None:
    settings = Settings(
        community="kongu", branch="erode", version=1, staff=(StaffMember("dr.anbu", "doctor"),), modalities=()
    )
    newer = json.loads(settings.encode()) | {"relay": {"unknown": 1}}
    assert Settings.decode(json.dumps(newer).encode()) == settings


def test_a_fault_names_the_field_and_not_its_content() -> None:
    with pytest.raises(Malformed, match=r"staff\.0\.role") as fault:
        Settings.decode(
            b'{"community":"kongu","branch":"erode","version":1,"modalities":[],'
            b'"staff":[{"login":"x","role":"PATIENT^NAME"}]}'
        )
    assert "PATIENT" not in str(fault.value)
    assert fault.value.__cause__ is None
