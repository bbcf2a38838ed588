"""The branch's settings as the community last signed them: its staff and its modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.known import Known
from exchange.settings import Settings

if TYPE_CHECKING:
    from appliance.index.engine import Index
    from exchange.settings import Modality, StaffMember


class CurrentSettings(Known[Settings]):
    """The newest settings; empty until the first are read."""

    def __init__(self, index: Index) -> None:
        super().__init__(index, "settings", Settings.decode)

    def staff(self) -> tuple[StaffMember, ...]:
        """Everyone who may log in."""
        return self.value.staff if self.value is not None else ()

    def modalities(self) -> tuple[Modality, ...]:
        """Every device that may send."""
        return self.value.modalities if self.value is not None else ()

    def outbox_bytes(self) -> int:
        """How much each branch may have in its outbox; 0 for as much as there is room for."""
        return self.value.outbox_bytes if self.value is not None else 0

    def inbox(self) -> bool:
        """Whether staff may import files through a shared folder; not before the first settings say so."""
        return self.value is not None and self.value.inbox

    def member(self, login: str) -> StaffMember | None:
        """The person of a login, or None."""
        return next((member for member in self.staff() if member.login == login), None)
