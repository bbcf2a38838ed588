"""Enrolment: the keys are handed in, the directory and the settings are found, and nothing older is taken."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from appliance.context import OneGate
from appliance.enrolment.onegate import OneGateFailed, report
from appliance.health import Health
from exchange import directory as directories
from exchange.community import CommunityKeys
from exchange.keys import BranchKeys, PublicKeys
from exchange.proof import check_proof, check_request
from exchange.tls_key import load_tls_key, requested_key
from tests.appliance.community import NAME, Community
from tests.appliance.hospital import PASSWORD, Hospital, hospitals
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class FrontEnd:
    """The part of OpenNebula's OneGate that an appliance speaks to, as facts.md describes it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], str]] = []
        self.status = 200
        self.answering = threading.Event()
        self.answering.set()
        self.answered = 0
        front_end = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                front_end.seen.append((self.path, dict(self.headers), body))
                front_end.answering.wait()
                front_end.answered += 1
                self.send_response(front_end.status)
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def front_end() -> Iterator[FrontEnd]:
    served = FrontEnd()
    yield served
    served.server.shutdown()
    served.server.server_close()


@pytest.fixture
def community(tmp_path: Path) -> Community:
    return Community(tmp_path / "exchange")


@pytest.fixture
def erode(community: Community, tmp_path: Path) -> Iterator[Hospital]:
    opened = Hospital(community, "erode", tmp_path / "erode")
    yield opened
    opened.close()


def test_onegate_is_told_the_keys_with_their_proof(community: Community, erode: Hospital, front_end: FrontEnd) -> None:
    erode.people.enrolment._context = community.context("erode", OneGate(front_end.endpoint, "the-token"))
    erode.people.enrolment.step()
    path, headers, body = front_end.seen[0]
    assert path == "/vm"
    assert (headers["X-ONEGATE-VMID"], headers["X-ONEGATE-TOKEN"]) == ("0", "the-token")
    values = dict(line.split("=", 1) for line in body.splitlines())
    told = {name: value.strip('"') for name, value in values.items()}
    public = PublicKeys(sign=told["GURNEY_SIGN_KEY"], seal=told["GURNEY_SEAL_KEY"])
    check_proof(told["GURNEY_PROOF"], public, community=NAME, branch="erode", vm_id=0)
    assert public == erode.keys.public
    check_request(told["GURNEY_TLS_PROOF"], told["GURNEY_TLS_REQUEST"], public, NAME, "erode", 0)
    assert requested_key(told["GURNEY_TLS_REQUEST"]) == load_tls_key(erode.archive.keys).public
    assert erode.keys.sign.text not in body
    assert erode.keys.seal.text not in body


def test_without_onegate_the_values_wait_in_a_file(erode: Hospital) -> None:
    erode.people.enrolment.step()
    kept = json.loads((erode.archive.keys / "enrolment.json").read_text())
    assert set(kept) == {
        "GURNEY_SIGN_KEY", "GURNEY_SEAL_KEY", "GURNEY_PROOF", "GURNEY_TLS_REQUEST", "GURNEY_TLS_PROOF"
    }  # fmt: skip


def test_a_onegate_that_refuses_is_asked_again(community: Community, erode: Hospital, front_end: FrontEnd) -> None:
    erode.people.enrolment._context = community.context("erode", OneGate(front_end.endpoint, "the-token"))
    front_end.status = 403
    with pytest.raises(OneGateFailed, match="403"):
        erode.people.enrolment.step()
    front_end.status = 200
    erode.people.enrolment.step()
    erode.people.enrolment.step()
    assert len(front_end.seen) == 2


def test_a_onegate_that_is_down_is_one_clear_error() -> None:
    with pytest.raises(OneGateFailed, match="does not answer"):
        report(OneGate("http://127.0.0.1:1", "t"), 0, {"READY": "YES"})


def serve_where_it_asks_itself(hospital: Hospital) -> None:
    hospital.serve()
    hospital.people.http = replace(hospital.people.http, port=int(hospital.url.rpartition(":")[2]))


def test_ready_is_told_once_pages_and_dicom_answer(community: Community, erode: Hospital, front_end: FrontEnd) -> None:
    erode.people.enrolment._context = community.context("erode", OneGate(front_end.endpoint, "t"))
    erode.people.enrolment.step()
    assert 'READY="NO"' in front_end.seen[-1][2]
    serve_where_it_asks_itself(erode)
    erode.people.health = lambda: Health(dicom=False, pending_renditions=0)
    erode.people.enrolment.step()
    assert len(front_end.seen) == 1
    erode.people.health = lambda: Health(dicom=True, pending_renditions=0)
    erode.people.enrolment.step()
    assert front_end.seen[-1][2] == 'READY="YES"\n'
    erode.people.enrolment.step()
    assert len(front_end.seen) == 2


def test_who_ends_takes_back_that_it_is_ready(community: Community, erode: Hospital, front_end: FrontEnd) -> None:
    erode.people.enrolment._context = community.context("erode", OneGate(front_end.endpoint, "t"))
    erode.people.enrolment.step()
    erode.people.enrolment.stop()
    assert len(front_end.seen) == 1, "it never was"
    serve_where_it_asks_itself(erode)
    erode.people.enrolment.step()
    erode.people.stop()
    assert [sent[2] for sent in front_end.seen[1:]] == ['READY="YES"\n', 'READY="NO"\n']


def test_who_ends_does_not_wait_for_a_onegate_that_is_gone(
    community: Community, erode: Hospital, front_end: FrontEnd
) -> None:
    erode.people.enrolment._context = community.context("erode", OneGate(front_end.endpoint, "t"))
    serve_where_it_asks_itself(erode)
    erode.people.enrolment.step()
    assert front_end.seen[-1][2] == 'READY="YES"\n'
    front_end.answering.clear()
    erode.people.stop()
    until(lambda: len(front_end.seen) == 3)
    assert front_end.answered == 2
    front_end.answering.set()


def test_keys_outlive_the_process_and_are_for_their_owner_only(community: Community, tmp_path: Path) -> None:
    first = Hospital(community, "erode", tmp_path / "erode")
    first.close()
    second = Hospital(community, "erode", tmp_path / "erode")
    second.close()
    assert first.keys.public == second.keys.public
    assert {file.stat().st_mode & 0o077 for file in second.archive.keys.iterdir()} == {0}


def test_other_keys_in_the_directory_do_not_enrol(erode: Hospital, community: Community, capsys) -> None:
    erode.enrol()
    stranger = replace(community.directory.branch("erode"), keys=BranchKeys.generate().public)
    community.publish(stranger)
    erode.people.enrolment.step()
    assert not erode.people.enrolment.enrolled
    assert erode.keys.public.fingerprint in capsys.readouterr().out


def test_a_revoked_branch_is_not_enrolled(erode: Hospital, community: Community) -> None:
    erode.enrol()
    community.publish(replace(community.directory.branch("erode"), revoked=True))
    erode.people.enrolment.step()
    assert not erode.people.enrolment.enrolled


def test_an_older_directory_is_not_taken_even_after_a_restart(tmp_path: Path, capsys) -> None:
    with hospitals(tmp_path, "erode", "salem") as (erode, _):
        newest = erode.people.directory.value
        for version in range(2, newest.version + 1):
            (tmp_path / f"exchange/community/directory/{version:010d}.json").unlink()
        erode.people.enrolment.step()
        assert erode.people.directory.value == newest
        assert "was seen before" in capsys.readouterr().out
        erode.close()
        again = Hospital(erode.community, "erode", tmp_path / "erode")
        again.people.enrolment.step()
        assert again.people.directory.value == newest
        assert again.people.enrolment.enrolled
        erode.archive = again.archive


def test_a_directory_of_a_stranger_is_passed_over(erode: Hospital, community: Community, capsys) -> None:
    erode.enrol()
    stranger, _ = CommunityKeys.generate()
    forged = replace(community.directory, version=99, branches=())
    directories.publish(community.store, forged, stranger.sign)
    erode.people.enrolment.step()
    assert erode.people.directory.value == community.directory
    assert "0000000099.json is passed over" in capsys.readouterr().out


def test_an_unreachable_exchange_locks_nobody_out(erode: Hospital, community: Community, tmp_path: Path) -> None:
    erode.enrol().accept_all().serve()
    community.root.rename(tmp_path / "gone")
    erode.people.enrolment.step()
    assert erode.people.enrolment.enrolled
    assert erode.client("dr.anbu").get("/api/studies").status_code == 200
    (tmp_path / "gone").rename(community.root)


def test_the_first_settings_and_their_change_are_taken(erode: Hospital, community: Community) -> None:
    assert erode.people.settings.modalities() == ()
    erode.enrol().accept_all().serve()
    doctor, clerk = erode.client("dr.anbu"), erode.client("r.devi")
    community.appoint("erode", {"dr.anbu": "radiographer"})
    erode.people.enrolment.step()
    assert doctor.get("/api/studies").status_code == 200
    assert doctor.post("/api/referrals", json={"patient_id": "1", "to": "salem"}).status_code == 403
    assert clerk.get("/api/studies").status_code == 401
    answer = clerk.post("/api/session", json={"login": "r.devi", "password": PASSWORD})
    assert answer.status_code == 401
    assert erode.people.settings.floor == 2


def test_health_tells_where_it_stands(erode: Hospital) -> None:
    erode.serve()
    nothing = {"branch": "erode", "enrolled": False, "directory": 0, "settings": 0}
    nothing |= {"dicom": True, "pending_renditions": 0, "closed": False, "secure": False}
    nothing |= {"outbox_bytes": 0, "outbox_limit_bytes": 0, "referrals_given_up": 0}
    nothing |= {"outbox_writable": True, "set_aside": 0}
    nothing |= {"clock_set": None, "restart_wanted": False}

    def told() -> dict[str, object]:
        answer = dict(erode.client().get("/health").json())
        assert 0 < answer.pop("archive_free_bytes") <= answer.pop("archive_bytes")
        return answer

    assert told() == nothing
    erode.enrol()
    assert told() == nothing | {"enrolled": True, "directory": 1, "settings": 1}
