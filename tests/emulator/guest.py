"""A guest for tests: serves on the address that its driver gives it, and reports through OneGate.

It is started as `gurney appliance run` is: with --context, --archive, --mount and --address.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shlex
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

PORT = 8042


def context(folder: pathlib.Path) -> dict[str, str]:
    """The variables of context.sh, as a shell would read them."""
    lines = (folder / "context.sh").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {name: "".join(shlex.split(value)) for name, value in pairs}


def main() -> None:
    """Say what was told, report, and serve."""
    parser = argparse.ArgumentParser()
    for option in ("context", "archive", "address"):
        parser.add_argument(f"--{option}", required=True)
    parser.add_argument("--mount", action="append", default=[])
    asked = parser.parse_args()
    folder = pathlib.Path(asked.context)
    told = context(folder)
    print(json.dumps({"options": vars(asked), "context": told, "pid": os.getpid()}), flush=True)
    if told.get("TOKEN") == "YES":
        report(told, (folder / "token.txt").read_text(encoding="utf-8"))
    Handler.folder = pathlib.Path(asked.archive)
    HTTPServer((asked.address, PORT), Handler).serve_forever()


def report(told: dict[str, str], token: str) -> None:
    """Write READY into the user template."""
    headers = {"X-ONEGATE-TOKEN": token, "X-ONEGATE-VMID": told["VMID"]}
    request = urllib.request.Request(f"{told['ONEGATE_ENDPOINT']}/vm", b"READY=YES", headers, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()


class Handler(BaseHTTPRequestHandler):
    """Tells the process id; /die ends the process, /keep writes into the archive."""

    folder = pathlib.Path()

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/die":
            os._exit(3)
        if self.path == "/keep":
            (self.folder / "kept").write_text("kept", encoding="utf-8")
        body = str(os.getpid()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    main()
