"""Any text in any place of a community file arrives in the cloud as it is, or is refused with its place."""

from __future__ import annotations

import uuid
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from provision.declaring.placed import written
from provision.declaring.reading import parse
from provision.errors import DeclarationError, NotCarried
from provision.kind import Act
from provision.kinds.appliance import Appliance
from provision.kinds.host_hook import HostHook
from provision.kinds.machine import Entry
from provision.kinds.vm_group import Apart, VmGroup
from provision.node import attributes_of
from provision.planning.resource import Ref, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from provision.errors import Problem
    from tests.provision.conftest import Office

NASTY = [
    *"\"\\[]=,#'\n&<> ☃",
    "\\\\",
    "]]",
    "$NAME",
    "%i",
    "ünï",
    "日本",
    "]]>",
    "\x00",
    "\x07",
    "\r",
    "\x7f",
    "\ud800",
]
TEXTS = st.text(max_size=20) | st.lists(st.sampled_from(NASTY), min_size=1, max_size=4).map("".join)
QUIET: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}

#: Fields that the example leaves out.
MORE: dict[str, Any] = {
    "exchange": {"driver": "nfs", "server": "10.20.0.9", "path": "/srv/exchange", "admin": "/srv/exchange"},
    "on_host_failure": "none",
    "admins": {},
}


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place of a text, and of a name that people choose."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from leaves(each, (*path, index))
    elif isinstance(value, str):
        yield path


def put(tree: Any, path: tuple[str | int, ...], text: str) -> Any:
    """The same tree with a text in one place."""
    copy = deepcopy(tree)
    inner = copy
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = text
    return copy


@given(data=st.data(), text=TEXTS)
@settings(max_examples=60, phases=[Phase.explicit, Phase.generate], **QUIET)
def test_any_text_in_any_place_is_refused_with_its_place_or_arrives(
    new_office: Callable[..., Office], example_text: str, data: st.DataObject, text: str
) -> None:
    whole = yaml.safe_load(example_text) | MORE
    whole = {name: value for name, value in whole.items() if name != "referrals"}
    whole["branches"] = {"erode": whole["branches"]["erode"]}
    place = data.draw(st.sampled_from(sorted(leaves(whole), key=str)))
    file = yaml.safe_dump(put(whole, place, text))
    problems = problems_of(file)
    if problems:
        assert all(problem.words and (problem.line, problem.column) > (0, 0) for problem in problems)
        assert any(told_at(problem, place) for problem in problems), problems
        return
    office = replace(new_office(uuid.uuid4().hex), community=parse(file))
    reasons = office.plan().obstacles
    assert all(repr(text)[1:-1] in reason for reason in reasons), reasons
    if not reasons:
        lay_out_image(office)
        assert not office.apply().after
        assert office.plan().to_json() == []
    office.embedded.stop()


def lay_out_image(office: Office) -> None:
    """The file that the image is to be made of, whatever it is called."""
    assert office.community.image.file is not None
    path = office.folder / "state" / "host" / office.community.image.file.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(1 << 20))


def problems_of(file: str) -> tuple[Problem, ...]:
    """What is wrong with a file; nothing where it declares a community."""
    try:
        parse(file)
    except DeclarationError as refused:
        return refused.problems
    return ()


def told_at(problem: Problem, place: tuple[str | int, ...]) -> bool:
    """Whether a problem is told where a text stands, or YAML itself cannot carry that."""
    return written(place[:2]) in problem.where or problem.words.startswith("this is not YAML")


def machine(value: str) -> Appliance:
    entries = (Entry("GURNEY_BRANCH", value), Entry("GURNEY_AE_TITLE", "AE"))
    return Appliance(1, 64, (), (), entries, None, token=False, group=None, template=Ref("template"))


#: Template to a spec that holds a text, the call that takes it, the call that tells it, and where it stands then.
SLOTS: dict[str, tuple[Callable[[str], Any], str, str, Callable[[dict[str, Any]], Any]]] = {
    "context": (machine, "template.allocate", "template.info", lambda told: told["CONTEXT"]["GURNEY_BRANCH"]),
    "host_hook": (
        lambda text: HostHook("HOST", "ERROR", "x", text, by_stdin=True, remote=False),
        "hook.allocate", "hook.info", lambda told: told.get("ARGUMENTS", ""),
    ),
    "vm_group": (
        lambda text: VmGroup("600", frozenset(), frozenset({Apart((text,))})),
        "template.allocate", "template.info", lambda told: told["ANTI_AFFINED"],
    ),
}  # fmt: skip


#: Where the text stands, as a refusal names it.
FIELDS = {"context": "context[0].value", "host_hook": "arguments", "vm_group": "apart[0].roles[0]"}


@pytest.mark.parametrize("template", SLOTS)
@given(text=TEXTS)
@example(text='say "hi"')
@example(text="a [b] = c, d # e\nf")
@example(text="மருத்துவமனை")
@settings(max_examples=60, **QUIET)
def test_any_value_of_a_spec_arrives_or_is_refused_naming_its_field(office: Office, template: str, text: str) -> None:
    made, allocate, info, told = SLOTS[template]
    act = Act(office.desk, "kongu", 0, "600", 0)
    resource = Resource(Ref("test"), uuid.uuid4().hex, made(text))
    rendered, refusal = rendered_or_refused(act, template, resource)
    if refusal:
        words = f"test {resource.name}: {FIELDS[template]}: {text!r} cannot be "
        assert refusal.startswith(words), refusal
        return
    if template == "context":
        rendered = f'NAME="{resource.name}"\n{rendered}'
    number = office.raw(allocate, rendered)
    root = office.desk.cloud.read(info, number, False).element
    assert told(attributes_of(root.find("TEMPLATE"))) == text


def rendered_or_refused(act: Act, template: str, resource: Resource) -> tuple[str, str]:
    """The text of a template, or why there is none."""
    try:
        return act.text(template, resource, new=True, roles=()), ""
    except NotCarried as refused:
        return "", str(refused)
