"""What a new appliance shows of itself: its public keys, and the proof that it holds their secret halves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from appliance.enrolment.onegate import report
from exchange.folder import Folder
from exchange.proof import prove

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.context import Context
    from exchange.keys import BranchKeys

FILE = "enrolment.json"


def application(context: Context, keys: BranchKeys) -> dict[str, str]:
    """The three values that the admin's tool looks for."""
    proof = prove(keys, community=context.community, branch=context.branch, vm_id=context.vm_id)
    return {"GURNEY_SIGN_KEY": keys.public.sign, "GURNEY_SEAL_KEY": keys.public.seal, "GURNEY_PROOF": proof}


def apply(context: Context, keys: BranchKeys, folder: Path) -> None:
    """Hand the values in: through OneGate, or in a file where the cloud has none.

    Raises
    ------
    OneGateFailed
        OneGate does not answer or refuses; try again.
    """
    values = application(context, keys)
    if context.onegate is not None:
        report(context.onegate, context.vm_id, values)
    else:
        _keep(folder, values)


def _keep(folder: Path, values: dict[str, str]) -> None:
    """Write the file whole or not at all; an older one, of the VM before this one, goes first."""
    place = Folder(folder, mode=0o600)
    place.delete(FILE)
    place.put(FILE, json.dumps(values, indent=2).encode())
