"""Whether this machine has qemu, for the tests that boot something in it."""

from __future__ import annotations

import shutil

import pytest

needs_qemu = pytest.mark.skipif(not shutil.which("qemu-system-x86_64"), reason="needs qemu-system-x86 and qemu-utils")
