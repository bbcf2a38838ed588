"""What an appliance answers in clear once it has a certificate."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.appliance.community import Community
from tests.appliance.process import ApplianceProcess
from tests.appliance.tls import root_file
from tests.waiting import until

WIRE = 'ip link set lo up && ip addr add 10.20.1.10/24 dev lo && exec "$@"'


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a network of its own")
def test_whoever_is_not_on_this_machine_is_led_to_tls(tmp_path: Path) -> None:
    """In a network of its own, where the appliance is reached at an address that is not loopback."""
    own = ApplianceProcess(tmp_path / "erode", Community(tmp_path / "exchange"), address="10.20.1.10")
    own.start(wait=False, prefix=("unshare", "-n", "sh", "-c", WIRE, "sh"))
    assert own.process is not None
    there = Path(f"/proc/{own.process.pid}/ns/net")

    def ask(url: str, *options: str) -> str:
        """Status, place that is pointed to, and text."""
        command = ["nsenter", f"--net={there}", "curl", "-sS", "--noproxy", "*", "-m", "30", *options, url]
        told = ["-w", " %{http_code} %{redirect_url}"]
        return subprocess.run([*command, *told], capture_output=True, text=True).stdout

    try:
        until(lambda: there.stat().st_ino != Path("/proc/self/ns/net").stat().st_ino, "a network of its own")
        until(lambda: ask("http://10.20.1.10:8080/health").endswith(" 200 "))
        assert ask("http://10.20.1.10:8080/login").endswith(" 200 "), "in clear as long as there is nothing else"
        until((own.archive / "keys" / "enrolment.json").exists)
        own.community.admit_file("erode", own.archive / "keys", own.address)
        until(lambda: '"secure":true' in ask("http://10.20.1.10:8080/health"))
        assert ask("http://10.20.1.10:8080/login?next=/a").endswith(" 308 https://10.20.1.10:8443/login?next=/a")
        asked_at_80 = ask("http://10.20.1.10:8080/", "-H", "Host: 10.20.1.10")
        assert asked_at_80.endswith(" 308 https://10.20.1.10/"), "where the firewall hands on 80 and 443"
        password = ("-d", '{"login": "a", "password": "b"}', "-H", "Content-Type: application/json")
        assert " 403 " in ask("http://10.20.1.10:8080/api/session", *password)
        assert " 421 " in ask("http://10.20.1.10:8080/", "-H", "Host: evil.example"), "never to another's name"
        for path in ("/trust", "/trust/authority.crt", "/health", "/favicon.ico"):
            assert " 200 " in ask(f"http://10.20.1.10:8080{path}", *(["-o", os.devnull] if "." in path else [])), path
        root = root_file(own, tmp_path)
        assert ask("https://10.20.1.10:8443/login", "--cacert", root).endswith(" 200 ")
        assert " 401 " in ask("https://10.20.1.10:8443/api/session", "--cacert", root, *password)
    finally:
        own.kill()
