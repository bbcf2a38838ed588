"""The admin's commands, as a shell sees them: output, exit codes, and nothing but JSON for programs."""

from __future__ import annotations

import io
import json
import socket
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from cli.main import exit_of
from provision.declaring.reading import json_schema
from tests.provision.shell import EXAMPLES, Shell
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_plan_apply_plan(shell: Shell) -> None:
    code, out, _ = shell.run("plan")
    assert code == 0
    assert "+ network kongu.erode" in out
    assert "34 to create, 0 to update, 0 to delete." in out
    code, out, _ = shell.run("apply", "--yes")
    assert code == 0, out
    assert "34 steps done." in out
    code, out, _ = shell.run("plan")
    assert (code, out.strip()) == (0, "The cloud is as kongu declares it: nothing to do.")


def test_detailed_exit_codes_are_terraform_s(shell: Shell) -> None:
    assert shell.run("plan", "--detailed-exitcode")[0] == 2
    shell.run("apply", "--yes")
    assert shell.run("plan", "--detailed-exitcode")[0] == 0


def test_json_is_one_document_and_nothing_else(shell: Shell) -> None:
    told = json.loads(shell.run("plan", "--json")[1])
    assert len(told["changes"]) == 34
    assert told["changes"][0]["action"] == "create"
    told = json.loads(shell.run("apply", "--yes", "--json")[1])
    assert (told["steps"], told["plan_after"]) == (34, [])
    told = json.loads(shell.run("status", "--json")[1])
    assert [branch["name"] for branch in told["branches"]] == ["erode", "salem", "karur"]
    told = json.loads(shell.run("destroy", "--yes", "--json", *ALLOW)[1])
    assert told["plan_after"] == []


ALLOW = [word for name in ("erode", "salem", "karur") for word in ("--allow-destroy", name)]


def test_drift_is_shown_with_the_old_and_the_new_value(shell: Shell) -> None:
    shell.run("apply", "--yes")
    network = dict(shell.office.found().view.ours("network"))["erode"]
    shell.office.raw("vn.update", network.id, 'GATEWAY="10.20.1.254"', 1)
    _, out, _ = shell.run("plan")
    assert "~ network kongu.erode" in out
    assert "gateway: 10.20.1.254 -> 10.20.1.1" in out
    branches = json.loads(shell.run("status", "--json")[1])["branches"]
    assert [branch["drift"] for branch in branches] == [1, 0, 0]


def test_status_tells_quota_host_space_and_writes_metrics(shell: Shell, tmp_path: Path) -> None:
    shell.run("apply", "--yes")
    shell.office.until_running()
    metrics = tmp_path / "gurney.prom"
    code, out, _ = shell.run("status", "--prometheus", str(metrics), "--json")
    assert code == 0
    erode = json.loads(out)["branches"][0]
    assert (erode["host"], erode["host_state"], erode["state"]) == ("embedded", "MONITORED", "RUNNING")
    assert erode["cpu"] == {"used": 2.0, "limit": 4.0}
    assert erode["memory_mib"] == {"used": 4096.0, "limit": 8192.0}
    assert erode["disk_mib"] == {"used": 204800.0, "limit": 512000.0}
    assert erode["archive_mib"] == 204800
    assert (erode["echo"], erode["ready"]) == (False, False)
    assert 'gurney_quota_cpu_used{branch="erode",community="kongu"} 2.0' in metrics.read_text()
    assert "2/4" in shell.run("status")[1]


def test_an_object_of_somebody_else_is_adopted(shell: Shell) -> None:
    """The archive of a branch, left behind by another tool, becomes the branch's; its content stays."""
    office = shell.office
    office.apply()
    office.until_running()
    foreign = office.raw("vn.allocate", 'NAME="old-erode"\nVN_MAD="802.1Q"\nPHYDEV="eth1"\nVLAN_ID="101"', 0)
    network = dict(office.found().view.ours("network"))["erode"].id
    office.raw("vm.action", "terminate", office.found().view.appliances["erode"].id)
    until(lambda: "erode" not in office.found().view.appliances, "the end of the VM")
    office.raw("vn.delete", network)
    code, out, err = shell.run("adopt", "network", "old-erode", "--as", "erode", "--yes")
    assert code == 0, err
    assert "is ours now" in out
    assert dict(office.found().view.ours("network"))["erode"].id == foreign
    code, _, err = shell.run("adopt", "network", "nothing", "--as", "erode", "--yes")
    assert (code, "there is no network 'nothing'" in err) == (4, True)


def test_nothing_is_done_without_a_yes(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    code, _, err = shell.run("apply")
    assert code == 0
    assert "Apply?" in err
    assert "Nothing was changed." in err
    assert not shell.office.found().resources


def test_where_nobody_can_be_asked_a_yes_is_asked_for(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    code, _, err = shell.run("apply")
    assert (code, "nobody can be asked here: say --yes" in err) == (2, True)
    assert "Interrupted" not in err
    assert not shell.office.found().resources


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("apply", "--yes", "--rekey", "nobody=ab"), "there is no branch 'nobody'"),
        (("apply", "--yes", "--timeout", "-1"), "--timeout"),
        (("destroy", "--yes", "--allow-destroy", "nobody"), "there is no branch 'nobody'"),
        (("status", "--interval", "-1"), "--interval"),
    ],
)
def test_what_names_nothing_is_wrong_usage(shell: Shell, arguments: tuple[str, ...], words: str) -> None:
    code, _, err = shell.run(*arguments)
    assert (code, words in err) == (2, True), err


def test_destroy_asks_for_each_archive_by_name(shell: Shell) -> None:
    shell.run("apply", "--yes")
    code, _, err = shell.run("destroy", "--yes", "--allow-destroy", "erode")
    assert code == 4
    assert "--allow-destroy salem" in err
    assert "--allow-destroy erode" not in err
    assert "nothing at all was changed" in err
    assert len(shell.office.found().resources) == 34


def test_a_destroy_says_why_and_a_second_one_that_nothing_is_there(shell: Shell) -> None:
    shell.run("apply", "--yes")
    code, out, err = shell.run("destroy", "--yes", *ALLOW)
    assert code == 0, err
    assert "(all of the community is taken away)" in out
    assert "no longer declared" not in out
    code, out, _ = shell.run("destroy", "--yes")
    assert (code, out.strip()) == (0, "Nothing of kongu is in the cloud: nothing to do.")


def test_what_is_made_anew_is_told_with_the_old_and_the_new_value(shell: Shell, tmp_path: Path) -> None:
    shell.run("apply", "--yes")
    moved = tmp_path / "community.yaml"
    moved.write_text((EXAMPLES / "community.yaml").read_text().replace("vlan: 101", "vlan: 301"))
    _, out, _ = shell.run("plan", file=moved)
    assert "vlan: 101 -> 301" in out
    steps = json.loads(shell.run("plan", "--json", file=moved)[1])["changes"]
    (made,) = [step for step in steps if (step["kind"], step["action"]) == ("network", "create")]
    assert made["changes"] == [{"field": "vlan", "old": "101", "new": "301"}]
    code, _, err = shell.run("apply", "--yes", file=moved)
    assert code == 0, err


def test_a_wrong_file_costs_3_and_tells_the_line(shell: Shell, tmp_path: Path) -> None:
    wrong = tmp_path / "community.yaml"
    wrong.write_text((EXAMPLES / "community.yaml").read_text().replace("vlan: 102", "vlan: 101"))
    code, _, err = shell.run("plan", file=wrong)
    assert code == 3
    assert "line 35, column 55: branches.salem.network.vlan: vlan 101 is already that of erode" in err


def test_a_missing_file_costs_8(shell: Shell, tmp_path: Path) -> None:
    code, _, err = shell.run("plan", file=tmp_path / "none.yaml")
    assert code == 8
    assert "none.yaml: No such file" in err


def test_a_cloud_that_is_down_costs_4(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # nobody listens there, and nobody else can begin to
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ONE_XMLRPC", f"http://127.0.0.1:{taken.getsockname()[1]}/RPC2")
        code, _, err = shell.run("plan")
    assert code == 4
    assert "does not answer: Connection refused" in err
    assert len(err.strip().splitlines()) == 1


def test_a_wrong_login_costs_4(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "auth").write_text("oneadmin:wrong\n")
    monkeypatch.setenv("ONE_AUTH", str(tmp_path / "auth"))
    code, _, err = shell.run("plan")
    assert code == 4
    assert "does not accept this login (check $ONE_AUTH" in err


def test_no_endpoint_is_a_wrong_usage(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONE_XMLRPC")
    code, _, err = shell.run("plan")
    assert code == 2
    assert "set $ONE_XMLRPC" in err


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [(501, b"", "it answers HTTP 501"), (404, b"", "it answers HTTP 404"), (200, b"<html>", "is not XML-RPC")],
)
def test_what_is_no_opennebula_is_said_to_be_none(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, words: str
) -> None:
    with web_server(status, body) as address:
        monkeypatch.setenv("ONE_XMLRPC", address)
        code, _, err = shell.run("plan")
    assert code == 4
    assert f"{address} is no OpenNebula XML-RPC endpoint: " in err
    assert words in err


@contextmanager
def web_server(status: int, body: bytes) -> Iterator[str]:
    """Answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/RPC2"
        server.shutdown()
        thread.join()


def test_a_plan_writes_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    identity = tmp_path / "config" / "identity.txt"
    monkeypatch.setenv("GURNEY_IDENTITY", str(identity))
    before = sorted(shell.office.folder.glob("state/host/**/*"))
    assert shell.run("plan")[0] == 0
    assert not identity.parent.exists()
    assert sorted(shell.office.folder.glob("state/host/**/*")) == before
    code, _, err = shell.run("apply", "--yes")
    assert code == 0, err
    assert f"Making your identity, which opens your communities' keys: {identity}" in err.replace("\n", "")
    assert identity.stat().st_mode & 0o777 == 0o600
    assert shell.run("plan")[0] == 0, "it opens the keys"


def test_an_admin_without_an_identity_is_told_how_to_make_one(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shell.run("apply", "--yes")
    monkeypatch.setenv("GURNEY_IDENTITY", str(tmp_path / "anita.txt"))
    code, _, err = shell.run("plan")
    assert code == 4
    assert "make one with `gurney identity`" in err
    assert exit_of(["identity"]) in (0, None)
    public = capsys.readouterr().out.strip()
    assert public.startswith("age1")
    assert exit_of(["identity", "--json"]) in (0, None)
    assert json.loads(capsys.readouterr().out)["recipient"] == public
    code, _, err = shell.run("plan")
    assert f"put {public} under" in err


def test_the_schema_that_is_printed_is_the_model_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(["schema"]) in (0, None)
    assert json.loads(capsys.readouterr().out) == json_schema()
