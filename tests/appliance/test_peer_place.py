"""A DICOM peer is read from the place that `gurney status` tells."""

from __future__ import annotations

import pytest

from appliance.dimse.scu import Peer
from provision.fleet.health import in_url


@pytest.mark.parametrize("host", ["10.20.1.10", "fd00:20::10", "erode.kongu.example"])
def test_what_status_tells_is_where_the_peer_is(host: str) -> None:
    assert Peer.at(f"ERODE@{in_url(host)}:11112") == Peer("ERODE", host, 11112)
