"""Transfer syntaxes by their UID, and the RLE of literal runs that no library writes."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

ROOT = "1.2.840.10008.1.2."

RLE, J2K, JPEG, LOSSLESS, JPEG_LS = f"{ROOT}5", f"{ROOT}4.90", f"{ROOT}4.50", f"{ROOT}4.70", f"{ROOT}4.80"

HTJ2K, JPEG_XL = f"{ROOT}4.201", f"{ROOT}4.110"


def rle(frame: np.ndarray[Any, Any]) -> bytes:
    """RLE of literal runs only, planes of bytes with the most significant first (PS3.5 annex G)."""
    planes = frame.reshape(-1, 1).view(np.uint8).reshape(len(frame.reshape(-1)), -1).T[::-1]
    segments = []
    for plane in planes:
        raw = plane.tobytes()
        runs = b"".join(bytes([len(raw[n : n + 128]) - 1]) + raw[n : n + 128] for n in range(0, len(raw), 128))
        segments.append(runs + b"\0" * (len(runs) % 2))
    offsets = [64 + sum(map(len, segments[:n])) for n in range(len(segments))]
    return struct.pack("<16L", len(segments), *offsets, *[0] * (15 - len(offsets))) + b"".join(segments)
