"""Who this appliance is, for an admin who asks over SSH: what it would report through OneGate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.enrolment.application import application
from appliance.errors import ApplianceError
from exchange.errors import NotThere
from exchange.keys import load_keys
from exchange.tls_key import load_tls_key

if TYPE_CHECKING:
    from pathlib import Path

    from appliance.context import Context


def identity(context: Context, archive: Path) -> dict[str, str]:
    """The appliance's name, the fingerprint of its keys, and the values of its application; nothing secret.

    Raises
    ------
    ApplianceError
        The service has made no keys yet.
    """
    try:
        keys, tls_key = load_keys(archive / "keys"), load_tls_key(archive / "keys")
    except NotThere:
        raise ApplianceError(f"no keys in {archive / 'keys'}: the service makes them when it first starts") from None
    return {
        "community": context.community,
        "branch": context.branch,
        "vm_id": str(context.vm_id),
        "fingerprint": keys.public.fingerprint,
        **application(context, keys, tls_key),
    }
