"""What a new appliance shows of itself: its public keys, what proves them, and a request for a certificate."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from appliance.enrolment.onegate import report
from exchange.folder import Folder
from exchange.proof import prove, prove_request

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.context import Context
    from exchange.keys import BranchKeys
    from exchange.tls_key import TlsKey

FILE = "enrolment.json"

#: OpenNebula keeps a VM's READY when that is powered off, so that a service that starts takes back what it said.
NOT_READY = {"READY": "NO"}


def application(context: Context, keys: BranchKeys, tls_key: TlsKey) -> dict[str, str]:
    """The values that the admin's tool looks for."""
    place = (context.community, context.branch, context.vm_id)
    request = tls_key.request()
    return {
        "GURNEY_SIGN_KEY": keys.public.sign,
        "GURNEY_SEAL_KEY": keys.public.seal,
        "GURNEY_PROOF": prove(keys, *place),
        "GURNEY_TLS_REQUEST": request,
        "GURNEY_TLS_PROOF": prove_request(keys, request, *place),
    }


def apply(context: Context, keys: BranchKeys, tls_key: TlsKey, folder: Path) -> None:
    """Hand the values in: through OneGate, which is told that nothing answers yet, or in a file where there is none.

    Raises
    ------
    OneGateFailed
        OneGate does not answer or refuses; try again.
    """
    values = application(context, keys, tls_key)
    if context.onegate is not None:
        report(context.onegate, context.vm_id, values | NOT_READY)
    else:
        _keep(folder, values)


def _keep(folder: Path, values: dict[str, str]) -> None:
    """Write the file whole or not at all; an older one, of the VM before this one, goes first."""
    place = Folder(folder, mode=0o600)
    place.delete(FILE)
    place.put(FILE, json.dumps(values, indent=2).encode())
