"""How long a build of the appliance's image takes once all is cached, and how large the image is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.measuring import PYTHON
from provision.image.builder import Order, find_ingredients, own_lock
from provision.image.errors import ImageNotBuilt

if TYPE_CHECKING:
    from pathlib import Path

#: The image in the folder of the run, where the benchmark of a boot finds it.
IMAGE = "appliance.qcow2"
MEGABYTE = 1_000_000


def image(folder: Path, _repeat: int, _quick: bool) -> dict[str, float]:
    """Seconds of one build by its own count, and megabytes; nothing where none can be built."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / IMAGE
    try:
        find_ingredients(Order(target, own_lock()))
    except ImageNotBuilt as error:
        print(f"no image is built here: {error}", file=sys.stderr)
        return {}
    command = [PYTHON, "-m", "cli", "appliance", "build", "-o", str(target), "--json"]
    built = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return {"image/build s": built["seconds"], "image/MB": built["bytes"] / MEGABYTE}
