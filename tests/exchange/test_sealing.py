"""Sealing: for whom it opens, for whom it does not, and how much memory it takes."""

from __future__ import annotations

import io
import subprocess
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import CannotOpen, Malformed
from exchange.keys import SealingKey
from exchange.sealing import seal, seal_stream, sealed_limit, unseal, unseal_stream

if TYPE_CHECKING:
    from pathlib import Path

SALEM, KARUR = SealingKey.generate(), SealingKey.generate()


class Zeros(io.RawIOBase):
    """Many bytes that are nowhere in memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        piece = bytes(min(size, self.left))
        self.left -= len(piece)
        return piece


class Counter(io.RawIOBase):
    """Bytes that are counted and forgotten."""

    count = 0

    def write(self, piece: bytes) -> int:  # type: ignore[override]
        self.count += len(piece)
        return len(piece)


@given(st.binary(max_size=200_000))
def test_what_was_sealed_opens(plain: bytes) -> None:
    sealed = seal(plain, [SALEM.public])
    assert unseal(sealed, SALEM) == plain
    assert len(sealed) <= sealed_limit(len(plain))


def test_a_third_holds_no_key_that_opens_it() -> None:
    with pytest.raises(CannotOpen):
        unseal(seal(b"x", [SALEM.public]), KARUR)


@given(st.integers(0, 150_000), st.integers(0, 7))
def test_one_changed_bit_is_seen(position: int, bit: int) -> None:
    sealed = bytearray(seal(b"Murugan" * 20_000, [SALEM.public]))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(CannotOpen):
        unseal(bytes(sealed), SALEM)


@given(st.integers(0, 140_000))
def test_what_is_cut_off_is_seen(length: int) -> None:
    sealed = seal(bytes(140_000), [SALEM.public])
    with pytest.raises(CannotOpen):
        unseal(sealed[:length], SALEM)


def test_streams_do_not_grow_in_memory() -> None:
    size = 64 << 20
    tracemalloc.start()
    sealed = Counter()
    seal_stream(Zeros(size), sealed, [SALEM.public])  # type: ignore[arg-type]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < sealed.count <= sealed_limit(size)
    assert peak < 2 << 20


def test_the_error_of_a_stream_keeps_its_kind() -> None:
    class Full(Counter):
        def write(self, piece: bytes) -> int:  # type: ignore[override]  # noqa: ARG002
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as full:
        seal_stream(io.BytesIO(bytes(100_000)), Full(), [SALEM.public])  # type: ignore[arg-type]
    assert full.value.errno == 28
    with pytest.raises(OSError, match="No space left"):
        unseal_stream(io.BytesIO(seal(bytes(100_000), [SALEM.public])), Full(), SALEM)  # type: ignore[arg-type]


@pytest.mark.parametrize("recipient", ["", "age1", "salem", "ssh-ed25519 AAAA"])
def test_what_is_no_recipient_is_refused(recipient: str) -> None:
    with pytest.raises(Malformed):
        seal(b"x", [recipient])


def test_debians_age_opens_it_and_we_open_debians(tmp_path: Path) -> None:
    identity = tmp_path / "identity.txt"
    identity.write_text(SALEM.text + "\n")
    opened = subprocess.run(
        ["age", "--decrypt", "--identity", identity],
        input=seal(b"parcel", [SALEM.public]),
        capture_output=True,
        check=True,
    )
    assert opened.stdout == b"parcel"
    sealed = subprocess.run(["age", "--recipient", SALEM.public], input=b"parcel", capture_output=True, check=True)
    assert unseal(sealed.stdout, SALEM) == b"parcel"
