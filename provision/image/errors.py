"""What can go wrong while an image is built, in words that say what to do."""

from __future__ import annotations

from provision.errors import ProvisionError


class ImageNotBuilt(ProvisionError):
    """The image cannot be built on this machine; nothing of the attempt is left."""
