"""Which passwords are accepted, and how they are kept."""

from __future__ import annotations

import pytest

from appliance.accounts.passwords import hashed, matches, objections

NAMES = frozenset({"erode", "kongu"})


@pytest.mark.parametrize(
    "password",
    [
        "three blue kites",
        "Tr0ub4dor&3-x",
        "மருத்துவமனை-42",
        "correct horse battery",
        "x9!kPq2#mZ",
        "a" * 5 + "bcdefghij" * 20,
    ],
)
def test_good_ones_are_taken(password: str) -> None:
    assert objections(password, "dr.anbu", NAMES) == ()


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("short", "characters or more"),
        ("x" * 3 + "yzw" * 80, "or fewer"),
        ("my-dr.anbu-pass", "login"),
        ("DrAnbu2026!!", "login"),
        ("password123", "first"),
        ("P@ssw0rd2026", "first"),
        ("Welcome2026!", "first"),
        ("qwertyuiop", "first"),
        ("Erode2026!!", "first"),
        ("aaaaaaaaaaaa", "different"),
        ("ababababab", "different"),
        ("1234567890", "neighbouring"),
        ("abcdefghijkl", "neighbouring"),
    ],
)
def test_bad_ones_are_refused_with_a_reason(password: str, word: str) -> None:
    assert any(word in reason for reason in objections(password, "dr.anbu", NAMES))


def test_a_hash_matches_its_password_only() -> None:
    kept = hashed("three blue kites")
    assert kept.startswith("$argon2id$")
    assert matches(kept, "three blue kites")
    assert not matches(kept, "three blue kite")
    assert kept != hashed("three blue kites")


def test_nobody_has_a_password() -> None:
    assert not matches(None, "nobody has this password")
    assert not matches("not a hash", "anything at all")
