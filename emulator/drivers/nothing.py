"""A driver without guests: virtual machines are states only, as with OpenNebula's dummy driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.drivers.driver import Guest


class NoGuests:
    """Every action succeeds, and nothing runs."""

    needs_folder = False
    boots_images = False
    ends_by_itself = False

    def start(self, guest: Guest) -> None:
        """Do nothing."""

    def stop(self, vm_id: int, *, hard: bool) -> None:
        """Do nothing."""

    def changed(self, guest: Guest) -> None:
        """Do nothing."""

    def is_there(self, vm_id: int) -> bool:  # noqa: ARG002  (of the interface)
        """No guest is ever there."""
        return False

    def is_starting(self, vm_id: int) -> bool:  # noqa: ARG002  (of the interface)
        """It runs at once."""
        return False

    def failure(self, vm_id: int) -> str:  # noqa: ARG002  (of the interface)
        """What cannot be started is tried again, and never given up."""
        return ""

    def deploy_id(self, vm_id: int, name: str, host: str) -> str:  # noqa: ARG002  (of the interface)
        """As the dummy driver calls it."""
        return f"{host}:{name}:dummy"

    def stop_all(self) -> None:
        """Do nothing."""
