"""The image that the tests of this folder boot, built once for all that it is made of."""

from __future__ import annotations

import fcntl
import shutil
from pathlib import Path

import pytest

from provision.image.cache import own_cache
from provision.image.errors import ImageNotBuilt
from tests.image.building import built, link

LISTED = Path(__file__).parent / "system-packages.txt"


@pytest.fixture(scope="session")
def appliance_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of what the checkout holds now, from the cache where nothing of it has changed."""
    if shutil.which("qemu-system-x86_64") is None:
        packages = " ".join(LISTED.read_text().split())
        pytest.fail(f"no machine can be booted: apt-get install --no-install-recommends {packages}", pytrace=False)
    folder = own_cache() / "built"
    folder.mkdir(exist_ok=True)
    own = tmp_path_factory.mktemp("image") / "appliance.qcow2"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            link(built(folder), own)
        except ImageNotBuilt as error:
            pytest.fail(f"the image cannot be built on this machine: {error}", pytrace=False)
    return own
