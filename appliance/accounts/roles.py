"""What each role may do."""

from __future__ import annotations

SEE, REFER, IMPORT, AUDIT, TRY_AGAIN = "see", "refer", "import", "audit", "try-again"

RIGHTS: dict[str, frozenset[str]] = {
    "radiographer": frozenset({SEE, IMPORT}),
    "doctor": frozenset({SEE, REFER}),
    "admin": frozenset({SEE, IMPORT, REFER, AUDIT, TRY_AGAIN}),
}


def may(role: str, right: str) -> bool:
    """Whether a role carries a right; an unknown role carries none."""
    return right in RIGHTS.get(role, frozenset())
