"""The standard's grayscale and colour chain restated for one pixel at a time: the oracle of the pixel tests.

Written from PS3.3 and PS3.5 without looking at the converter: plain Python numbers, no arrays, no tables of all values.
It gives the exact real number that the standard asks for; a right picture is within a half of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass
class Gray:
    """What decides the gray of a stored value."""

    bits_allocated: int = 16
    bits_stored: int = 16
    high_bit: int | None = None
    signed: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    modality_lut: tuple[int, Sequence[int]] | None = None  # first value mapped, entries
    window: tuple[float, float] | None = None
    function: str = "LINEAR"
    voi_lut: tuple[int, Sequence[int], int] | None = None  # first value mapped, entries, bits of an entry
    inverse: bool = False
    padding: tuple[float, float] | None = None
    top: int = 255
    real: bool = False
    extra: dict[str, object] = field(default_factory=dict)

    def stored(self, cell: float) -> int | float:
        """PS3.5 8.1.1: the bits from High Bit down, Bits Stored of them, two's complement where signed."""
        if self.real:
            return cell
        high = self.bits_stored - 1 if self.high_bit is None else self.high_bit
        value = 0
        for bit in range(self.bits_stored):
            source = high - self.bits_stored + 1 + bit
            value += ((int(cell) >> source) & 1) * 2**bit
        if self.signed and value >= 2 ** (self.bits_stored - 1):
            value -= 2**self.bits_stored
        return value

    def modality(self, stored: float) -> float:
        """PS3.3 C.11.1: the Modality LUT, or slope and intercept."""
        if self.modality_lut:
            first, entries = self.modality_lut
            return entries[min(max(int(stored) - first, 0), len(entries) - 1)]
        return stored * self.slope + self.intercept

    def voi(self, x: float) -> float:
        """PS3.3 C.11.2.1.2 and C.11.2.1.3, with an output from 0 to 1."""
        if self.voi_lut:
            first, entries, bits = self.voi_lut
            place = min(max(math.floor(x + 0.5) - first, 0), len(entries) - 1)
            return entries[place] / (2**bits - 1)
        assert self.window
        c, w = self.window
        if self.function == "SIGMOID":
            return 1 / (1 + math.exp(-4 * (x - c) / w))
        if self.function == "LINEAR_EXACT":
            if x <= c - w / 2:
                return 0.0
            return 1.0 if x > c + w / 2 else (x - c) / w + 0.5
        if x <= c - 0.5 - (w - 1) / 2:
            return 0.0
        return 1.0 if x > c - 0.5 + (w - 1) / 2 else (x - (c - 0.5)) / (w - 1) + 0.5

    def exact(self, cell: float) -> float:
        """The gray of a cell as a real number."""
        stored = self.stored(cell)
        if self.padding and self.padding[0] <= stored <= self.padding[1]:
            return 0.0
        share = self.voi(self.modality(stored))
        return (1 - share if self.inverse else share) * self.top


def ybr_full(y: float, cb: float, cr: float) -> tuple[float, float, float]:
    """PS3.3 C.7.6.3.1.2: the inverse of its matrix for YBR_FULL, computed and not copied."""
    matrix = [[0.2990, 0.5870, 0.1140], [-0.1687, -0.3313, 0.5000], [0.5000, -0.4187, -0.0813]]
    return _solved(matrix, [y, cb - 128, cr - 128])


def ybr_partial(y: float, cb: float, cr: float) -> tuple[float, float, float]:
    """PS3.3 C.7.6.3.1.2: the inverse of its matrix for YBR_PARTIAL."""
    matrix = [[0.2568, 0.5041, 0.0979], [-0.1482, -0.2910, 0.4392], [0.4392, -0.3678, -0.0714]]
    return _solved(matrix, [y - 16, cb - 128, cr - 128])


def _solved(m: list[list[float]], v: list[float]) -> tuple[float, float, float]:
    """Cramer's rule; results are cut to 0..255."""

    def det(a: list[list[float]]) -> float:
        return (
            a[0][0] * (a[1][1] * a[2][2] - a[1][2] * a[2][1])
            - a[0][1] * (a[1][0] * a[2][2] - a[1][2] * a[2][0])
            + a[0][2] * (a[1][0] * a[2][1] - a[1][1] * a[2][0])
        )

    whole = det(m)
    found = []
    for column in range(3):
        swapped = [[v[row] if k == column else m[row][k] for k in range(3)] for row in range(3)]
        found.append(min(255.0, max(0.0, det(swapped) / whole)))
    return (found[0], found[1], found[2])


def expanded_palette(words: Sequence[int]) -> list[int]:
    """PS3.3 C.7.9.2: discrete, linear and indirect segments, by the letter."""
    entries: list[int] = []
    position = 0
    while position < len(words):
        position = _segment(words, position, entries)
    return entries


def _segment(words: Sequence[int], position: int, entries: list[int]) -> int:
    opcode, length = words[position], words[position + 1]
    if opcode == 0:
        entries.extend(words[position + 2 : position + 2 + length])
        return position + 2 + length
    if opcode == 1:
        start, end = entries[-1], words[position + 2]
        entries.extend(math.floor(start + (end - start) * (n + 1) / length + 0.5) for n in range(length))
        return position + 3
    offset = words[position + 2] + 65536 * words[position + 3]
    for _ in range(length):
        offset = _segment(words, offset, entries)
    return position + 4
