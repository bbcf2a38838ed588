"""`python -m appliance.index.migrations FILE`: bring an index to this version's tables, while no service runs."""

from __future__ import annotations

import sys
from pathlib import Path

from appliance.errors import ApplianceError
from appliance.index.engine import open_index


def main(arguments: list[str]) -> int:
    """0 where it was done; the reason goes to standard error."""
    try:
        open_index(Path(arguments[0])).close()
    except ApplianceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the reason
        return 1
    return 0


sys.exit(main(sys.argv[1:]))
