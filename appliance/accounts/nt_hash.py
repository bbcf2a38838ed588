"""The hash by which SMB knows a password: MD4 of its UTF-16 text, which OpenSSL 3 no longer offers.

It is as good as the password to whoever has it, for SMB: it is kept as carefully as a key.

References: MS-NLMP 3.3.1 `NTOWFv1`; RFC 1320.
"""

from __future__ import annotations

import struct

MASK = 0xFFFFFFFF
BEGINNING = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)

#: RFC 1320 3.4: of each round the order of the words, the shifts and the constant.
ROUNDS = (
    (tuple(range(16)), (3, 7, 11, 19), 0),
    ((0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (3, 5, 9, 13), 0x5A827999),
    ((0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15), 0x6ED9EBA1),
)


def nt_hash(password: str) -> str:
    """The hash in capital hexadecimal digits, as smbpasswd(5) has it."""
    return md4(password.encode("utf-16-le")).hex().upper()


def md4(message: bytes) -> bytes:
    """The digest of RFC 1320."""
    padded = message + b"\x80" + bytes((55 - len(message)) % 64) + struct.pack("<Q", len(message) * 8)
    state: tuple[int, ...] = BEGINNING
    for at in range(0, len(padded), 64):
        words = struct.unpack("<16I", padded[at : at + 64])
        state = _added(state, _mixed(state, words))
    return struct.pack("<4I", *state)


def _mixed(state: tuple[int, ...], words: tuple[int, ...]) -> tuple[int, ...]:
    a, b, c, d = state
    for number, (order, shifts, constant) in enumerate(ROUNDS):
        for step, word in enumerate(order):
            total = (a + _bits(number, b, c, d) + words[word] + constant) & MASK
            shift = shifts[step % 4]
            a, b, c, d = d, ((total << shift) | (total >> (32 - shift))) & MASK, b, c
    return a, b, c, d


def _bits(number: int, b: int, c: int, d: int) -> int:
    """The functions F, G and H."""
    return ((b & c) | (~b & d), (b & c) | (b & d) | (c & d), b ^ c ^ d)[number]


def _added(state: tuple[int, ...], mixed: tuple[int, ...]) -> tuple[int, ...]:
    return tuple((old + new) & MASK for old, new in zip(state, mixed, strict=True))
