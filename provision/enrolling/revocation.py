"""Taking a branch out of the community: the next directory says that it is revoked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from provision.enrolling.published import publish_directory
from provision.enrolling.restored import newest_directory
from provision.errors import ProvisionError
from provision.planning.found import found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.desk import Desk


def revoke(desk: Desk, community: str, names: Sequence[str]) -> int:
    """
    Publish a directory in which these branches are revoked; returns its version.

    Nothing is published where they are revoked already, for all that appliances know. Its version is higher than what
    they know: an exchange that was restored from an older copy holds less, and they would take no notice.

    Raises
    ------
    ProvisionError
        The directory does not name one of them; none was revoked.
    """
    now = found(desk, community)
    directory = now.view.published.directory
    unknown = [name for name in names if directory is None or directory.find(name) is None]
    if unknown or directory is None or now.keys is None:
        raise ProvisionError(f"not in the directory, so there is nothing to revoke: {', '.join(unknown or names)}")
    entries = [entry for name in dict.fromkeys(names) if (entry := directory.find(name)) and not entry.revoked]
    above = newest_directory(now)
    if not (entries or above):
        return directory.version
    revoked = [replace(entry, revoked=True, certificate="") for entry in entries]
    return publish_directory(desk.store, now.keys, community, revoked, directory.referrals, seen=directory, above=above)
