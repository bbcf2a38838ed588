"""OneGate: a guest reads about itself, reports, and can do nothing else."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any

import pyone
import pytest

from tests.waiting import until

if TYPE_CHECKING:
    from emulator.cloud import Cloud


@pytest.fixture
def vm(cloud: Cloud, one: Any) -> int:
    """A virtual machine with a token."""
    until(lambda: one.hostpool.info().HOST[0].STATE == 2)
    number: int = one.vm.allocate('NAME="guest"\nCPU="1"\nMEMORY="64"\nCONTEXT=[TOKEN="YES"]\nKEPT="1"')
    until(lambda: one.vm.info(number).LCM_STATE == 3)
    return number


def ask(
    cloud: Cloud, vm: int, method: str = "GET", path: str = "/vm", body: str = "", token: str = ""
) -> tuple[int, str]:
    """Status and body of a guest's request."""
    record = cloud.store.get("vm", vm)
    assert record is not None
    headers = {"X-ONEGATE-VMID": str(vm), "X-ONEGATE-TOKEN": token or record.hidden.get("token", "none")}
    host, port = cloud.onegate.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request(method, path, body.encode(), headers)
    answer = connection.getresponse()
    try:
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_guest_reads_about_itself(cloud: Cloud, vm: int) -> None:
    """GET /vm tells name, state and user template."""
    status, body = ask(cloud, vm)
    told = json.loads(body)["VM"]
    assert status == 200
    assert (told["NAME"], told["ID"], told["STATE"], told["LCM_STATE"]) == ("guest", str(vm), "3", "3")
    assert told["USER_TEMPLATE"]["KEPT"] == "1"


def test_guest_reports(cloud: Cloud, one: Any, vm: int) -> None:
    """PUT /vm merges into the user template; with type=2 it removes."""
    assert ask(cloud, vm, "PUT", body='READY="YES"\nTEXT="two\nlines"')[0] == 200
    assert one.vm.info(vm).USER_TEMPLATE == {"READY": "YES", "TEXT": "two\nlines", "KEPT": "1"}
    assert ask(cloud, vm, "PUT", "/vm?type=2", 'TEXT=""')[0] == 200
    assert "TEXT" not in one.vm.info(vm).USER_TEMPLATE


@pytest.mark.parametrize(
    ("method", "path", "body", "token", "status"),
    [
        ("GET", "/vm", "", "wrong", 401),
        ("PUT", "/vm", "READY=YES", "wrong", 401),
        ("GET", "/service", "", "", 404),
        ("DELETE", "/vm", "", "", 405),
        ("PUT", "/vm", "not a template [", "", 400),
        ("PUT", "/vm", 'SCHED_REQUIREMENTS="NAME=x"', "", 403),
        ("PUT", "/vm", 'A="' + "x" * 70_000 + '"', "", 413),
    ],
)
def test_other_requests_are_refused(
    cloud: Cloud, one: Any, vm: int, method: str, path: str, body: str, token: str, status: int
) -> None:
    """What a guest has no right to changes nothing."""
    before = dict(one.vm.info(vm).USER_TEMPLATE)
    assert ask(cloud, vm, method, path, body, token)[0] == status
    assert dict(one.vm.info(vm).USER_TEMPLATE) == before


def test_token_ends_with_the_machine(cloud: Cloud, one: Any, vm: int) -> None:
    """A token of a machine that is no more opens nothing; without TOKEN there is none."""
    record = cloud.store.get("vm", vm)
    assert record is not None
    token = record.hidden["token"]
    one.vm.action("terminate-hard", vm)
    until(lambda: one.vm.info(vm).STATE == 6)
    assert ask(cloud, vm, token=token)[0] == 401
    silent = one.vm.allocate('NAME="silent"\nCPU="1"\nMEMORY="64"')
    assert ask(cloud, silent)[0] == 401


def test_token_needs_a_onegate(make_cloud: Any) -> None:
    """A front end without OneGate refuses machines that ask for a token."""
    cloud = make_cloud(onegate=False)
    one = pyone.OneServer(cloud.endpoint, session=cloud.session)
    template = one.template.allocate('NAME="t"\nCPU="1"\nMEMORY="64"\nCONTEXT=[TOKEN="YES"]')
    with pytest.raises(pyone.OneException, match="onegate endpoint"):
        one.template.instantiate(template, "x", False, "", False)
