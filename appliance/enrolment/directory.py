"""The directory as this appliance last read it: who is in the community, and who may refer to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.known import Known
from exchange.directory import Directory

if TYPE_CHECKING:
    from appliance.index.engine import Index


class KnownDirectory(Known[Directory]):
    """The newest directory; none before the first is read."""

    def __init__(self, index: Index) -> None:
        super().__init__(index, "directory", Directory.decode)

    def title_of(self, branch: str) -> str:
        """What people call a branch."""
        found = self.value.find(branch) if self.value is not None else None
        return found.title if found is not None else branch

    def recipients_of(self, sender: str) -> tuple[str, ...]:
        """The branches that a branch may refer to, by name."""
        known = self.value
        if known is None:
            return ()
        return tuple(sorted(branch.name for branch in known.branches if known.may_refer(sender, branch.name)))
