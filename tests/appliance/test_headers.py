"""The header of an instance that somebody else sent: read within bounds of memory, or refused with what is wrong."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest

from appliance.keeping.header import read_header

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

MIB = 1 << 20
EXPLICIT, DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99"

#: What reading may add to the process: 64 MiB of an inflated header, twice while it is put together, and room.
MOST_MIB = 160

MEASURED = """
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from appliance.errors import Unreadable
from appliance.keeping.header import read_header
before = getrusage(RUSAGE_SELF).ru_maxrss
try:
    said = read_header(Path(sys.argv[1])).study_instance_uid
except Unreadable as error:
    said = str(error)
print((getrusage(RUSAGE_SELF).ru_maxrss - before) >> 10, said)
"""


def short(group: int, number: int, vr: bytes, value: bytes = b"") -> bytes:
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, vr, len(value)) + value


def long(group: int, number: int, vr: bytes, length: int) -> bytes:
    return struct.pack("<HH2sHI", group, number, vr, 0, length)


def meta(syntax: str, *, with_length: bool = False) -> bytes:
    """PS3.10 7.1 wants (0002,0000); who leaves it out is read all the same."""
    rest = short(2, 0x10, b"UI", syntax.encode())
    length = struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(rest)) if with_length else b""
    return b"\0" * 128 + b"DICM" + length + rest


IDENTITY = (
    short(0x0008, 0x0016, b"UI", b"1.2.840.10008.5.1.4.1.1.7")
    + short(0x0008, 0x0018, b"UI", b"1.2.3.4")
    + short(0x0020, 0x000D, b"UI", b"1.2.3")
    + short(0x0020, 0x000E, b"UI", b"1.2.3.5")
)


def many_elements(file: BinaryIO) -> None:
    """A million empty elements, each of another tag: 8 MB."""
    file.write(meta(EXPLICIT) + IDENTITY)
    file.writelines(short(group, number, b"CS") for group in range(0x21, 0x31) for number in range(1 << 16))


def many_implicit_elements(file: BinaryIO) -> None:
    file.write(meta("1.2.840.10008.1.2"))
    file.writelines(struct.pack("<HHL", group, number, 0) for group in range(0x21, 0x25) for number in range(1 << 16))


def long_name(file: BinaryIO) -> None:
    """A Patient's Name of 30 million names."""
    file.write(meta(EXPLICIT) + long(0x0010, 0x0010, b"UN", 30 * MIB) + b"\\" * (30 * MIB) + IDENTITY)


def long_character_set(file: BinaryIO) -> None:
    file.write(meta(EXPLICIT) + long(0x0008, 0x0005, b"UN", 30 * MIB) + b"\\" * (30 * MIB) + IDENTITY)
    file.write(short(0x0010, 0x0010, b"PN", b"Murugan^Selvi"))


def long_number(file: BinaryIO) -> None:
    file.write(meta(EXPLICIT) + IDENTITY + long(0x0020, 0x0011, b"UN", 30 * MIB) + b"\\" * (30 * MIB))


def deflated(file: BinaryIO, element: bytes, mib: int, *, with_length: bool = False) -> None:
    """The identity, and an element of so many zeros."""
    packer = zlib.compressobj(1, wbits=-zlib.MAX_WBITS)
    file.write(meta(DEFLATED, with_length=with_length) + packer.compress(IDENTITY + element))
    file.writelines(packer.compress(bytes(MIB)) for _ in range(mib))
    file.write(packer.flush())


def bomb(file: BinaryIO) -> None:
    deflated(file, long(0x7FE0, 0x0010, b"OW", 600 * MIB), 600)


def bomb_with_length(file: BinaryIO) -> None:
    deflated(file, long(0x7FE0, 0x0010, b"OW", 600 * MIB), 600, with_length=True)


def long_before_the_pixels(file: BinaryIO) -> None:
    deflated(file, long(0x0021, 0x0011, b"OB", 400 * MIB), 400)


def large_image(file: BinaryIO) -> None:
    """What a scanner may send: its header is read, its pixels are not kept in memory."""
    deflated(file, long(0x7FE0, 0x0010, b"OW", 400 * MIB), 400, with_length=True)


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[[Callable[[BinaryIO], None]], Path]]:
    path = tmp_path / "instance.dcm"

    def make(write: Callable[[BinaryIO], None]) -> Path:
        with path.open("wb") as file:
            write(file)
        return path

    yield make
    path.unlink()


@pytest.mark.parametrize(("write", "said"), [
    (many_elements, "more than 65536 data elements"),
    (many_implicit_elements, "more than 65536 data elements"),
    (long_name, "PatientName has 31457280 bytes, 65536 are allowed"),
    (long_character_set, "SpecificCharacterSet has 31457280 bytes"),
    (long_number, "SeriesNumber has 31457280 bytes"),
    (bomb, "larger than 512 MiB once it is inflated"),
    (bomb_with_length, "larger than 512 MiB once it is inflated"),
    (long_before_the_pixels, "no pixels begin within the first 64 MiB of the inflated data set"),
    (large_image, "1.2.3"),
])  # fmt: skip
def test_a_header_takes_no_more_memory_than_it_may(
    made: Callable[[Callable[[BinaryIO], None]], Path], write: Callable[[BinaryIO], None], said: str
) -> None:
    command = [sys.executable, "-c", MEASURED, str(made(write))]
    mib, _, found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().partition(" ")
    assert said in found
    assert int(mib) < MOST_MIB


def test_a_header_of_many_elements_is_read(made: Callable[[Callable[[BinaryIO], None]], Path]) -> None:
    """More than any device writes: 60,000 in one group, and what stands behind them is found."""

    def full(file: BinaryIO) -> None:
        rest = b"".join(short(0x0019, number, b"CS") for number in range(60_000))
        file.write(meta(EXPLICIT, with_length=True) + rest + IDENTITY + long(0x7FE0, 0x0010, b"OW", 0))

    assert read_header(made(full)).series_instance_uid == "1.2.3.5"
