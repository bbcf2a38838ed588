"""The fingerprint that a VM shows on its console is the one that an admin compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from appliance.enrolment.fingerprint import main
from exchange.keys import own_keys

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_fingerprint_is_that_of_the_public_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = own_keys(tmp_path)
    main(tmp_path)
    assert capsys.readouterr().out == f"gurney: keys of this branch {keys.public.fingerprint}\n"
