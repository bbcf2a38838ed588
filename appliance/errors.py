"""What an appliance says when it cannot do its work: each message tells what to do."""

from __future__ import annotations


class ApplianceError(Exception):
    """The root of what can go wrong in an appliance and is no bug."""


class BadContext(ApplianceError):
    """The context that the cloud handed over is missing, cannot be read, or lacks something."""


class ArchiveUnusable(ApplianceError):
    """The archive's folder or index cannot be used: missing, not writable, in use, or of a newer version."""


class ArchiveFull(ApplianceError):
    """The archive's disk is full, or may not grow: nothing of what was being written is left."""


class Unreadable(ApplianceError):
    """What arrived is no DICOM instance that can be found again: the reason says what is missing."""
