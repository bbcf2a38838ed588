"""Memory that this process keeps and bounds."""

from __future__ import annotations

from functools import cache

from converter.limits import MIB

_LARGEST_MMAP_THRESHOLD = 32 * MIB


@cache
def keep_freed_memory() -> None:
    """Have glibc keep memory that is freed between files, up to 64 MiB, where it would give it back after each.

    A CT needs 1.3 MB, and to get them from the kernel anew costs 0.3 ms of the 1.1 ms that the whole picture takes.
    Freeing one large block raises glibc's thresholds (mallopt(3), M_MMAP_THRESHOLD); done once in a process, since a
    second block would be zeroed by hand (1 to 14 ms).
    """
    block = bytes(_LARGEST_MMAP_THRESHOLD - MIB)  # by calloc, so no page of it is touched
    del block
