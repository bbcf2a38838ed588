"""What every request passes, and what every answer carries."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.appliance.community import Community
from tests.appliance.hospital import Hospital

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def erode(tmp_path_factory) -> Iterator[Hospital]:
    folder: Path = tmp_path_factory.mktemp("erode")
    opened = Hospital(Community(folder / "exchange"), "erode", folder / "erode").enrol().accept_all().serve()
    yield opened
    opened.close()


@pytest.mark.parametrize("path", ["/login", "/health", "/api/studies", "/static/gurney.css", "/nothing"])
def test_every_answer_is_armoured(erode: Hospital, path: str) -> None:
    headers = erode.client().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "server" not in headers


def test_patient_data_is_not_kept_by_the_browser_and_the_style_is(erode: Hospital) -> None:
    client = erode.client("dr.anbu")
    assert client.get("/").headers["cache-control"] == "no-store"
    assert client.get("/api/studies").headers["cache-control"] == "no-store"
    assert "immutable" in client.get("/static/gurney.css").headers["cache-control"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("erode.evil.example", 421),
        ("", 421),
        ("127.0.0.1:99999", 421),
        ("127.0.0.1:abc", 421),
        ("[::1", 421),
        ("[::1]80", 421),
        ("erode:80@evil.example", 421),
        ("erode@evil.example", 421),
        ("erode", 200),
        ("erode:", 200),
        ("ERODE:80", 200),
        ("localhost:8080", 200),
        ("[::1]:80", 200),
        ("10.20.1.10", 200),
    ],
)
def test_a_foreign_name_is_refused(erode: Hospital, host: str, status: int) -> None:
    assert erode.client().get("/health", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 204),
        ({"Sec-Fetch-Site": "same-origin"}, 204),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_another_site_cannot_act(erode: Hospital, headers: dict[str, str], status: int) -> None:
    assert erode.client("dr.anbu").delete("/api/session", headers=headers).status_code == status


def test_our_own_origin_may(erode: Hospital) -> None:
    assert erode.client("dr.anbu").delete("/api/session", headers={"Origin": erode.url}).status_code == 204


def test_a_form_without_our_token_is_refused(erode: Hospital) -> None:
    client = erode.client("dr.anbu")
    form = {"patient_id": "ER-1", "issuer": "erode", "to": "salem"}
    assert client.post("/refer", data=form).status_code == 403
    assert client.post("/refer", data=form | {"token": "0"}).status_code == 403


def test_json_that_comes_as_a_form_is_no_json(erode: Hospital) -> None:
    """What another site's form could send without asking first (text/plain) is not read as JSON."""
    body = '{"patient_id": "ER-1", "to": "salem"}'
    answer = erode.client("dr.anbu").post("/api/referrals", content=body, headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422


def test_a_large_body_is_refused_by_its_length(erode: Hospital) -> None:
    answer = erode.client().post("/login", content=b"x" * 100_000)
    assert answer.status_code == 413


def test_a_large_body_without_a_length_is_cut_off(erode: Hospital) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(200):
            yield b"login=" + b"x" * 1000

    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = erode.client().post("/login", content=pieces(), headers=headers)
    assert answer.status_code == 400


def test_a_negative_length_is_refused(erode: Hospital) -> None:
    host, port = erode.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as raw:
        raw.sendall(b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n")
        assert raw.recv(100).split()[1] in {b"400", b"413"}


def test_what_is_not_there_needs_no_login_to_be_told(erode: Hospital) -> None:
    assert erode.client().get("/nothing").status_code == 404
    assert erode.client().get("/api/nothing").json()["status"] == 404
