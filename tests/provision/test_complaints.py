"""What users of the other OpenNebula tools complain of, each tried here; a test is named after its complaint."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import exit_of
from emulator.faults import Faults
from emulator.settings import Pace
from provision.applying.adopt import adopt
from provision.declaring.reading import parse
from provision.enrolling.enrolment import wait_until_ready
from provision.errors import NotFinished
from provision.node import attributes_of
from provision.opennebula import CONNECTIONS, Cloud
from provision.planning.marks import Mark
from provision.planning.resource import Ref
from provision.pools import DOCUMENT_TYPE
from provision.vm_state import state_name
from templates.rendering import NotCarriedError, render
from tests.provision.backing_up import backup_datastore
from tests.provision.mortal import ONE_BRANCH
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.provision.conftest import Office

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.yaml"))


@pytest.fixture
def one(new_office: Callable[..., Office]) -> Office:
    """An office of one branch, which is quicker."""
    return replace(new_office(), community=parse(ONE_BRANCH))


# Terraform's provider


@pytest.mark.parametrize("call", ["vn.update", "group.quota", "vdc.addgroup", "image.lock", "vm.chown", "acl.addrule"])
def test_terraform_applies_that_change_nothing_and_say_ok(one: Office, call: str) -> None:
    one.embedded.faults = Faults([f"{call}:noop"])
    with pytest.raises(NotFinished, match="accepted it and did not do it"):
        one.apply()
    one.embedded.faults = Faults()
    assert not one.apply().after


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_terraform_plans_that_are_never_empty(office: Office, example: Path) -> None:
    text = example.read_text()
    office.apply(text)
    assert office.plan(text).to_json() == []
    office.until_running()
    assert office.plan(text).to_json() == [], "nor when the VMs run"


def test_terraform_contexts_wiped_on_update(one: Office) -> None:
    one.apply()
    one.until_running()
    before = one.found().view.appliances["erode"].attributes()["CONTEXT"]
    changed = ONE_BRANCH.replace("[10.20.0.0/24]", "[10.20.0.0/24, 10.9.0.0/24]").replace("cpu: 2, mem", "cpu: 1, mem")
    one.apply(changed)
    after = one.found().view.appliances["erode"].attributes()["CONTEXT"]
    differing = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert differing == {"GURNEY_ADMIN_NETWORKS"}
    assert after["GURNEY_ADMIN_NETWORKS"] == "10.20.0.0/24 10.9.0.0/24"
    assert {"NETWORK", "SSH_PUBLIC_KEY", "ETH0_IP", "GURNEY_COMMUNITY_KEY"} <= after.keys()


def test_terraform_fragile_waiting_for_vms(new_office: Callable[..., Office]) -> None:
    """An image that is slow is waited for; one that will never be ready ends the wait, with OpenNebula's own words."""
    slow = replace(new_office("slow", pace=Pace(image_s=1.5)), community=parse(ONE_BRANCH))
    assert not slow.apply().after
    slow.until_running()
    broken = replace(new_office("broken", faults=("image:fail@2",)), community=parse(ONE_BRANCH))
    began = time.monotonic()
    with pytest.raises(NotFinished, match="image kongu"):
        broken.apply()
    assert time.monotonic() - began < 60, "the limit is 900 s"


def test_terraform_imports_that_fail(one: Office) -> None:
    text = 'NAME="old"\nVN_MAD="802.1Q"\nPHYDEV="eth1"\nVLAN_ID="101"\nNETWORK_ADDRESS="10.20.1.0"'
    number = one.raw("vn.allocate", f'{text}\nNETWORK_MASK="255.255.255.0"', 0)
    adopt(one.desk, one.community, "network", "old", "erode")
    step = next(step for step in one.plan() if step.kind == "network")
    assert step.action == "update", "it is changed where it stands, and not made anew"
    assert not one.apply().after
    assert one.found().resources[Ref("network", "erode")].id == number


def test_terraform_no_backups(office: Office, backed_up: str) -> None:
    backup_datastore(office)
    assert not office.apply(backed_up).after
    assert len(office.found().pools.nodes["backupjob"]) == 1


# No image upload, in Terraform's provider and in OpenNebula itself: tests/provision/test_upload.py.


# Ansible's one_* modules


def test_ansible_no_user_group_acl_vdc_quota_or_datastore_modules(one: Office) -> None:
    text = ONE_BRANCH.replace("    staff:", "    admins: {anita: {}}\n    staff:", 1)
    assert not one.apply(text).after
    view = one.found().view
    group = view.groups["erode"]
    assert any(node.name == "kongu.erode.anita" for node in view.pools.nodes["user"])
    assert view.pools.quotas[group.id].text("VM_QUOTA/VM/CPU") == "4"
    assert view.vdcs["erode"].ids("GROUPS") == (group.id,)
    assert any(node.text("STRING").startswith(f"@{group.id} ") for node in view.pools.nodes["acl"])
    assert view.pools.named("datastore", "kongu.exchange") is not None


def test_ansible_no_diff_mode(one: Office) -> None:
    one.apply()
    (change,) = one.plan(ONE_BRANCH.replace("gateway: 10.20.1.1", "gateway: 10.20.1.254"))
    shown = {each["field"]: (each["old"], each["new"]) for each in change.to_json()["changes"]}
    assert shown["gateway"] == ("10.20.1.1", "10.20.1.254")


# OneFlow


def test_oneflow_no_rollback(one: Office) -> None:
    one.embedded.faults = Faults(["template.instantiate:2048"])
    with pytest.raises(NotFinished, match="things were taken away again"):
        one.apply(rollback=True)
    assert not one.found().view.groups


def test_oneflow_running_with_no_vm(one: Office, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    one.apply()
    one.until_running()
    number = one.found().view.appliances["erode"].id
    one.raw("vm.action", "terminate-hard", number)
    until(lambda: number not in one.found().pools.by_id["vm"], "the end of the VM")
    (branch,) = wait_until_ready(one.desk, one.community, 0).branches
    assert (branch.ready, branch.state, branch.words) == (False, "", "it has no VM")
    file = one.folder / "community.yaml"
    file.write_text(ONE_BRANCH)
    one.enter(monkeypatch)
    capsys.readouterr()
    options = ["-f", str(file), "--exchange", str(one.exchange)]
    exit_of(["status", "--json", *options])
    (line,) = json.loads(capsys.readouterr().out)["branches"]
    assert (line["ready"], line["state"], line["drift"] > 0) == (False, "", True)


# pyone


def test_pyone_wrong_constants(one: Office) -> None:
    """pyone counts FILESYSTEM as 6, where 7.4 has 7, and lacks the LCM states of backups."""
    import pyone

    one.apply()
    assert one.found().resources[Ref("exchange-image")].spec.type == "FILESYSTEM"
    assert int(pyone.IMAGE_TYPES.FILESYSTEM) != 7
    vm = one.found().view.appliances["erode"]
    vm.element.find("STATE").text, vm.element.find("LCM_STATE").text = "3", "69"
    assert state_name(vm) == "BACKUP"
    assert 69 not in {int(state) for state in pyone.LCM_STATE}


@pytest.mark.parametrize("value", ['a "b" c', 'x"\nINJECTED="yes', "[a=b, c]", "தமிழ் & <b>", "a\\b", "$VMID"])
def test_pyone_values_are_not_escaped(one: Office, value: str) -> None:
    text = render("mark", mark=Mark("kongu", "tried", value)) + 'NAME="tried"\n'
    number = one.raw("document.allocate", text, DOCUMENT_TYPE)
    told = attributes_of(one.desk.cloud.read("document.info", number).element.find("TEMPLATE"))
    assert told["GURNEY_KEY"] == value
    assert "INJECTED" not in told


def test_pyone_an_end_of_cdata_cannot_be_carried(one: Office) -> None:
    with pytest.raises(NotCarriedError, match=r"contains \]\]>, which OpenNebula cannot keep"):
        render("mark", mark=Mark("kongu", "tried", "a]]>b"))


# A front end's 15 connections


@contextmanager
def counted(port: int, host: str) -> Iterator[tuple[int, list[int]]]:
    """A port that leads to another, and how many connections were open at a time."""
    open_now, most, lock = [0], [0], threading.Lock()

    def carry(near: socket.socket) -> None:
        with near, socket.create_connection((host, port)) as far:
            back = threading.Thread(target=pump, args=(far, near))
            back.start()
            pump(near, far)
            with lock:  # its client has ended it
                open_now[0] -= 1
            back.join()

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                with lock:
                    open_now[0] += 1
                    most[0] = max(most[0], open_now[0])
                threading.Thread(target=carry, args=(near,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield listener.getsockname()[1], most
        until(lambda: not open_now[0], "an end of every connection")
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_fifteen_idle_connections_block_a_front_end_for_everyone(office: Office) -> None:
    host, port = office.embedded.endpoint.split("/")[2].split(":")
    with counted(int(port), host) as (near, most):
        cloud = Cloud(f"http://127.0.0.1:{near}/RPC2", office.embedded.session)
        replace(office, desk=replace(office.desk, cloud=cloud)).apply()
    (at_most,) = most
    assert at_most <= 2 * CONNECTIONS < 15, "each may be closing while the next is opened"
