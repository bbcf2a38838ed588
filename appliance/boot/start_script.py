"""The START_SCRIPT of a context: laid out here, run by a unit of its own once the network is there."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from appliance.boot.machine import Trouble, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.boot.machine import Machine


def lay_out_start_script(machine: Machine, variables: Mapping[str, str]) -> bool:
    """
    Write the script for `gurney-start-script.service`; False where there is none, or it is the same.

    Raises
    ------
    Trouble
        The script in base64 cannot be decoded.
    """
    text = start_script(variables)
    place = machine.run_folder() / "start-script"
    if not text:
        place.unlink(missing_ok=True)
        return False
    return write(place, text, mode=0o700)


def start_script(variables: Mapping[str, str]) -> str:
    """
    The script, plain or in base64; empty where there is none.

    Raises
    ------
    Trouble
        START_SCRIPT_BASE64 is not base64 of a text.
    """
    encoded = variables.get("START_SCRIPT_BASE64", "")
    if not encoded.strip():
        return variables.get("START_SCRIPT", "")
    try:
        return base64.b64decode("".join(encoded.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Trouble("START_SCRIPT_BASE64 in the context is not base64 of a text") from None
