"""The hash that SMB knows a password by, held to the vectors of its standards."""

from __future__ import annotations

import pytest

from appliance.accounts.nt_hash import md4, nt_hash

#: RFC 1320 A.5.
VECTORS = {
    b"": "31d6cfe0d16ae931b73c59d7e0c089c0",
    b"a": "bde52cb31de33e46245e05fbdbd6fb24",
    b"abc": "a448017aaf21d8525fc10ae87aa6729d",
    b"message digest": "d9130a8164549fe818874806e1c7014b",
    b"abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": "043f8582f241db351ce627e153e7f0e4",
    b"1234567890" * 8: "e33b4ddc9c38f2199c3e7b164fcc0536",
}


@pytest.mark.parametrize("message", VECTORS)
def test_digest_is_that_of_the_rfc(message: bytes) -> None:
    assert md4(message).hex() == VECTORS[message]


def test_password_is_hashed_as_ms_nlmp_does() -> None:
    assert nt_hash("Password") == "A4F49C406510BDCAB6824EE7C30FD852"  # MS-NLMP 4.2.2.1.2
