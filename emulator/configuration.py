"""What `one.system.config` answers: the settings of a stock OpenNebula 7.4 front end, which the cloud also obeys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.document import element

if TYPE_CHECKING:
    from emulator.record import Body


class Configuration:
    """The attributes of oned.conf.

    Parameters
    ----------
    onegate
        Address of OneGate, as virtual machines are told it; "" where none runs.
    """

    def __init__(self, onegate: str = "") -> None:
        path = Path(__file__).with_name("configuration.json")
        self._attributes: Body = json.loads(path.read_text(encoding="utf-8"))
        self.onegate = onegate
        if onegate:
            self._attributes["ONEGATE_ENDPOINT"] = [onegate]

    def texts(self, name: str) -> list[str]:
        """Plain values of an attribute."""
        return [value for value in self._attributes.get(name, []) if isinstance(value, str)]

    def text(self, name: str) -> str:
        """First plain value of an attribute, "" where there is none."""
        return next(iter(self.texts(name)), "")

    def vector(self, name: str, called: str | None = None) -> dict[str, str] | None:
        """First vector value of an attribute, or the one whose NAME is given; None where there is none."""
        vectors = [value for value in self._attributes.get(name, []) if isinstance(value, dict)]
        return next((one for one in vectors if called is None or one.get("NAME") == called), None)

    def document(self, *, whole: bool = True) -> str:
        """All of it, or with the database hidden."""
        ordered = {name: self._attributes[name] for name in sorted(self._attributes)}
        if not whole:
            ordered["DB"] = [{**ordered["DB"][0], "BACKEND": "***"}]
        return element("OPENNEBULA_CONFIGURATION", ordered)
