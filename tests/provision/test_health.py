"""How an admin's tool asks an appliance how it is: over TLS, and believing only whom the authority vouches for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.authority import LIFETIME, Authority
from exchange.trust import trust_in
from provision.health import health_of
from tests.appliance.community import Community
from tests.appliance.hospital import until
from tests.appliance.process import ApplianceProcess, free_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime.now(UTC)


@pytest.fixture
def erode(tmp_path: Path) -> Iterator[ApplianceProcess]:
    process = ApplianceProcess(tmp_path / "erode", Community(tmp_path / "exchange")).start()
    yield process
    process.kill()


def test_only_whom_the_authority_vouches_for_is_believed(erode: ApplianceProcess) -> None:
    told = health_of(erode.address)
    assert told is not None
    assert (told.branch, told.enrolled, told.distrust) == ("erode", False, "")
    erode.enrol()
    until(lambda: (erode.health() or {}).get("secure") is True)
    trust = trust_in(erode.community.authority_certificate())
    told = health_of(erode.address, trust)
    assert told is not None
    assert (told.enrolled, told.distrust) == (True, "")
    told = health_of(erode.address, trust_in(Authority.generate().root("kongu", {"erode"}, NOW)))
    assert told is not None
    assert "verify failed" in told.distrust
    erode.community.certify("erode", NOW - LIFETIME - timedelta(days=2))

    def expired() -> bool:
        told = health_of(erode.address, trust)
        return told is not None and "expired" in told.distrust

    until(expired)


def test_nobody_answers_for_it() -> None:
    address, trust = free_address(), trust_in(Authority.generate().root("kongu", {"erode"}, NOW))
    assert health_of(address, trust) is None
    assert health_of(address) is None
