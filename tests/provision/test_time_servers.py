"""The time servers that a community file names, on their way into the appliances' contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.declaring.reading import parse
from provision.errors import DeclarationError
from provision.kinds.machine import found_machine

if TYPE_CHECKING:
    from tests.provision.conftest import Office

COMMUNITY = "time: [10.20.0.2, time.kongu.example]\n"


def servers(office: Office) -> dict[str, str]:
    """By branch, what its VM's context says."""
    view = office.found().view
    machines = {name: found_machine(view, vm.attributes()) for name, vm in view.appliances.items()}
    told = {name: {each.name: str(each.value) for each in machine["context"]} for name, machine in machines.items()}
    return {name: context.get("NTP_SERVERS", "") for name, context in told.items()}


def test_time_servers_reach_contexts_and_change_where_machines_stand(office: Office, example_text: str) -> None:
    office.apply()
    office.until_running()
    assert servers(office) == {"erode": "", "salem": "", "karur": ""}
    text = COMMUNITY + example_text.replace("  erode:\n", "  erode:\n    time: [10.20.1.3]\n", 1)
    steps = {(step.action, step.kind) for step in office.plan(text)}
    assert steps == {("update", "template"), ("update", "appliance")}
    assert not office.apply(text).after
    everybody = "10.20.0.2 time.kongu.example"
    assert servers(office) == {"erode": "10.20.1.3", "salem": everybody, "karur": everybody}
    assert not office.apply(example_text).after
    assert servers(office) == {"erode": "", "salem": "", "karur": ""}


def test_one_that_somebody_wrote_into_a_context_is_drift(office: Office) -> None:
    """Writing the context anew would have lost it without a word."""
    office.apply()
    office.until_running()
    vm = office.found().view.appliances["erode"]
    context = dict(vm.attributes()["CONTEXT"])
    context["NTP_SERVERS"] = "10.20.1.3"
    lines = ", ".join(f'{name}="{value}"' for name, value in context.items())
    office.raw("vm.updateconf", vm.id, f"CONTEXT=[{lines}]")
    assert [(step.key, [change.field for change in step.changes]) for step in office.plan()] == [("erode", ["context"])]


@pytest.mark.parametrize(
    "wrong", ["front-end", "10.20.0", "10.20.0.2 NTP=evil.example", "a.example\\nNTP=b.example", ""]
)
def test_what_is_no_time_server_is_refused(wrong: str, example_text: str) -> None:
    with pytest.raises(DeclarationError, match="time"):
        parse(f'time: ["{wrong}"]\n' + example_text)


def test_an_address_of_either_kind_is_a_time_server(example_text: str) -> None:
    assert parse('time: ["fd00::2", "10.20.0.2"]\n' + example_text).time == ("fd00::2", "10.20.0.2")
