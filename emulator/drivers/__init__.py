"""Drivers: what a virtual machine is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.drivers.nothing import NoGuests
from emulator.drivers.process import Processes
from emulator.drivers.qemu import Machines
from emulator.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from emulator.cloud import Cloud
    from emulator.drivers.driver import Driver

DRIVERS: dict[str, Callable[[Cloud], Driver]] = {
    "none": lambda _cloud: NoGuests(),
    "process": lambda cloud: Processes(cloud.settings.command),
    "qemu": lambda _cloud: Machines(),
}


def make_driver(cloud: Cloud) -> Driver:
    """The driver that a cloud's settings name.

    Raises
    ------
    EmulatorError
        When there is no such driver.
    """
    name = cloud.settings.driver
    if name not in DRIVERS:
        raise EmulatorError(f"no driver is called {name!r}; there are: {', '.join(sorted(DRIVERS))}")
    return DRIVERS[name](cloud)
