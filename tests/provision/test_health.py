"""How an admin's tool asks an appliance how it is: over TLS, and believing only whom the authority vouches for."""

from __future__ import annotations

import socket
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

from exchange.authority import LIFETIME, Authority
from exchange.trust import trust_in
from provision.fleet.health import Health, health_of, in_url
from provision.node import Node
from provision.vm_state import address_of
from tests.appliance.community import Community
from tests.appliance.process import ApplianceProcess, free_address
from tests.waiting import PATIENCE_S, until

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
    told = health_of(erode.address, timeout_s=PATIENCE_S)
    assert isinstance(told, Health)
    assert (told.branch, told.enrolled, told.distrust) == ("erode", False, "")
    erode.enrol()
    until(lambda: (erode.health() or {}).get("secure") is True)
    trust = trust_in(erode.community.authority_certificate())
    told = health_of(erode.address, trust, PATIENCE_S)
    assert isinstance(told, Health)
    assert (told.enrolled, told.distrust) == (True, "")
    told = health_of(erode.address, trust_in(Authority.generate().root("kongu", {"erode"}, NOW)), PATIENCE_S)
    assert isinstance(told, Health)
    assert "verify failed" in told.distrust
    erode.community.certify("erode", NOW - LIFETIME - timedelta(days=2))

    def expired() -> bool:
        told = health_of(erode.address, trust)
        return isinstance(told, Health) and "expired" in told.distrust

    until(expired)


def test_nobody_answers_for_it() -> None:
    address, trust = free_address(), trust_in(Authority.generate().root("kongu", {"erode"}, NOW))
    assert health_of(address, trust) is None
    assert health_of(address) is None


def test_a_service_that_is_just_starting_is_not_distrusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers in clear, and a connection over TLS ends in the middle: it does not answer yet."""
    trust = trust_in(Authority.generate().root("kongu", {"erode"}, NOW))
    with (
        socket.create_server((free_address(), 0)) as starting,
        HTTPServer((starting.getsockname()[0], 0), InClear) as in_clear,
    ):
        address, port = starting.getsockname()
        monkeypatch.setattr("provision.fleet.health.HTTPS_PORT", port)
        monkeypatch.setattr("provision.fleet.health.HTTP_PORT", in_clear.server_port)
        for serve in (lambda: starting.accept()[0].close(), in_clear.handle_request):
            threading.Thread(target=serve, daemon=True).start()
        assert health_of(address, trust) is None


class InClear(BaseHTTPRequestHandler):
    """What an appliance says in clear."""

    body = b'{"branch": "erode", "enrolled": true, "directory": 1, "settings": 1, "dicom": true}'

    def do_GET(self) -> None:
        """It is enrolled, at everybody's address."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)


@pytest.mark.parametrize(
    ("told", "unset", "wanted"),
    [
        ("", False, False),
        (', "clock_set": null, "restart_wanted": false', False, False),
        (', "clock_set": true, "restart_wanted": true', False, True),
        (', "clock_set": false, "restart_wanted": 1', True, False),
    ],
)
def test_a_machine_that_needs_something_is_told(
    told: str, unset: bool, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where an appliance is too old to say."""
    body = b'{"branch": "erode", "enrolled": true, "directory": 1, "settings": 1, "dicom": true' + told.encode() + b"}"
    handler = type("Answer", (InClear,), {"body": body})
    with HTTPServer((free_address(), 0), handler) as server:
        monkeypatch.setattr("provision.fleet.health.HTTP_PORT", server.server_port)
        threading.Thread(target=server.handle_request, daemon=True).start()
        health = health_of(server.server_address[0], timeout_s=PATIENCE_S)
    assert isinstance(health, Health)
    assert (health.clock_unset, health.restart_wanted) == (unset, wanted)


def vm_that_reports(address: str) -> Node:
    """A VM with one card whose guest agent says that it has an address."""
    vm = ET.fromstring(
        "<VM><TEMPLATE><NIC><IP>10.20.1.10</IP></NIC></TEMPLATE><MONITORING><GUEST_IP/></MONITORING></VM>"
    )
    told = vm.find("MONITORING/GUEST_IP")
    assert told is not None
    told.text = address
    return Node(vm)


@pytest.mark.parametrize(
    "reported", ["10.20.2.10", "fe80::1", "::1%eth0", "host/path?x=", "127.0.0.1@10.0.0.9", "", "x y"]
)
def test_nobody_is_sent_where_a_guest_says_unless_it_is_its_own(reported: str) -> None:
    assert address_of(vm_that_reports(reported)) == "10.20.1.10"


@pytest.mark.parametrize("reported", ["127.0.0.7", "::1", "10.20.1.10"])
def test_a_guest_is_believed_its_loopback_address(reported: str) -> None:
    assert address_of(vm_that_reports(reported)) == reported


@pytest.mark.parametrize("address", ["::1", "[", "a b", "host/path?x=", ""])
def test_an_odd_address_is_one_that_does_not_answer(address: str) -> None:
    trust = trust_in(Authority.generate().root("kongu", {"erode"}, NOW))
    assert health_of(address, timeout_s=0.5) is None
    assert health_of(address, trust, timeout_s=0.5) is None
    assert in_url("::1") == "[::1]"
