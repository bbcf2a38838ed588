"""How much of anything one file may ask for before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that hold for every file.

    Attributes
    ----------
    frame_pixels : int
        Rows x columns x samples of one frame. 2**28 is a 16384 x 16384 picture, four times the largest detector sold.
    frames : int
        (0028,0008) Number of Frames. A large whole-slide level has about 200,000 tiles.
    elements : int
        Data elements of one data set, or of one item. The longest headers of the field have thousands.
    nesting : int
        Sequences within sequences. Structured reports of the field reach about 20.
    inflated_bytes : int
        Size of a deflated dataset or a ZIP member once it is unpacked.
    inflated_ratio : int
        Unpacked to packed size. Deflate itself ends at 1032, which a black image reaches, so small results are let by.
    file_seconds : float
        Processor time between two pictures of a file in a worker process before the file is given up.
    worker_memory_mib : int
        What a worker process may add to the memory that it started with; mapped files do not count.
    """

    frame_pixels: int = 1 << 28
    frames: int = 1_000_000
    elements: int = 1 << 16
    nesting: int = 64
    inflated_bytes: int = 4096 * MIB
    inflated_ratio: int = 200
    inflated_floor_bytes: int = 64 * MIB
    file_seconds: float = 10.0
    worker_memory_mib: int = 4096


LIMITS = Limits()
