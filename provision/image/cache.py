"""Where what has been downloaded is kept, so that the next build needs no network."""

from __future__ import annotations

from pathlib import Path

import platformdirs


def own_cache() -> Path:
    """The folder of this user, by the XDG rules; made where it is missing."""
    folder = Path(platformdirs.user_cache_dir("gurney")) / "image"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
