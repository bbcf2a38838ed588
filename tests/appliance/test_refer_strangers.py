"""The command `gurney refer` at an address where something else answers, or where it would be read on the way."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.appliance.hospital import ct, hospitals
from tests.appliance.refer_command import at, gurney

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Loopback by an address that is not known as such.
ELSEWHERE = "0.0.0.0"


@contextmanager
def stranger(status: int, kind: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """The port of what answers everything alike, and what it was asked."""
    asked: list[str] = []

    class Alike(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = answer  # noqa: N815 - http.server's names

        def log_message(self, *_what: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Alike)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def asking(host: str, port: int) -> list[str]:
    return ["--patient", "ER-1", "--to", "salem", "--at", f"http://{host}:{port}", "--login", "dr.anbu"]


@pytest.mark.parametrize(
    ("status", "kind", "text", "words"),
    [
        (200, "text/html", "<html>Welcome to this network</html>", "is it the right address?"),
        (200, "application/json", "[]", "is it the right address?"),
        (500, "application/problem+json", "oops{", "refuses: status 500"),
        (500, "application/problem+json", "[1]", "refuses: status 500"),
        (403, "application/problem+json", '{"detail": "not you"}', "refuses: not you"),
    ],
)
def test_what_is_no_appliance_is_one_line_and_exit_code_6(status: int, kind: str, text: str, words: str) -> None:
    with stranger(status, kind, text) as (port, _):
        done = gurney(*asking("127.0.0.1", port))
    assert (done.returncode, done.stdout) == (6, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (json.dumps({"branch": "erode", "secure": True}), "takes no password in clear"),
        ("<html>Welcome to this network</html>", "is it the right address?"),
        (json.dumps({"well": True}), "is it the right address?"),
    ],
)
def test_a_password_is_not_sent_in_clear_where_it_need_not_be(text: str, words: str) -> None:
    with stranger(200, "application/json", text) as (port, asked):
        done = gurney(*asking(ELSEWHERE, port))
    assert done.returncode == 6
    assert words in done.stderr
    assert asked == ["GET /health"]


def test_where_there_is_no_certificate_yet_it_is_told_that_others_can_read_it(tmp_path: Path) -> None:
    with hospitals(tmp_path, "erode", "salem") as (erode, _):
        erode.accept_all().serve().keep(ct("ER-1", count=1))
        words = [word.replace("127.0.0.1", ELSEWHERE) for word in at(erode)]
        done = gurney(*words, "--no-wait")
    assert (done.returncode, "can read the password" in done.stderr) == (0, True)
    assert done.stdout.startswith("0 of 1 images arrived")
