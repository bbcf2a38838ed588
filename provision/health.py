"""Whether an appliance answers: its own word over HTTP, nothing of its patients."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

#: Where an appliance answers. DICOM: the port that IANA gave it.
HTTP_PORT, DICOM_PORT = 8080, 11112


@dataclass(frozen=True)
class Health:
    """What an appliance says of itself."""

    branch: str
    enrolled: bool
    directory: int
    settings: int
    dicom: bool


def health_of(address: str, timeout_s: float = 3.0) -> Health | None:
    """What the appliance at an address says; None where nothing (or something else) answers."""
    try:
        answer = httpx.get(f"http://{address}:{HTTP_PORT}/health", timeout=timeout_s, trust_env=False)
        told = answer.raise_for_status().json()
        versions = int(told["directory"]), int(told["settings"])
        return Health(str(told["branch"]), told["enrolled"] is True, *versions, told["dicom"] is True)
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None
