"""OneGate: where a VM reports to OpenNebula."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx

from appliance.errors import ApplianceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from appliance.context import OneGate

TIMEOUT_S = 10.0
#: What stands between the quotes of an OpenNebula template without any escaping.
PLAIN = re.compile(r"[ !#-\[\]-~]*")


class OneGateFailed(ApplianceError):
    """OneGate does not answer, or refuses."""


def report(onegate: OneGate, vm_id: int, values: Mapping[str, str]) -> None:
    """Write attributes of this VM.

    Parameters
    ----------
    onegate
        Its address and the VM's token, from the context.
    vm_id
        This VM.
    values
        Attribute names to values: printable ASCII without quotes and backslashes, as keys and proofs are.

    Raises
    ------
    OneGateFailed
        It does not answer within 10 s, or refuses.

    References
    ----------
    OpenNebula 7 documentation, "OneGate Usage": PUT /vm with `KEY="value"` lines.
    """
    headers = {"X-ONEGATE-VMID": str(vm_id), "X-ONEGATE-TOKEN": onegate.token}
    try:
        with httpx.Client(trust_env=False, timeout=TIMEOUT_S) as client:
            answer = client.put(f"{onegate.endpoint.rstrip('/')}/vm", content=_template(values), headers=headers)
            answer.raise_for_status()
    except httpx.HTTPStatusError as error:
        raise OneGateFailed(
            f"OneGate at {onegate.endpoint} refuses with status {error.response.status_code}"
        ) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OneGateFailed(f"OneGate at {onegate.endpoint} does not answer: {error}") from error


def _template(values: Mapping[str, str]) -> str:
    for name, value in values.items():
        assert PLAIN.fullmatch(value), f"{name} cannot stand in a template"
    return "".join(f'{name}="{value}"\n' for name, value in values.items())
