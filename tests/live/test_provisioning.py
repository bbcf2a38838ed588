"""What provisioning promises, held to by the same bodies on the embedded cloud and on a real front end."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.fewest import changing, fewest, reads
from emulator.cloud import Cloud as EmbeddedCloud
from emulator.settings import Settings
from exchange.stores import open_store
from provision.access import login
from provision.applying.apply import apply
from provision.applying.destroy import plan_to_destroy
from provision.applying.holding import holding
from provision.declaring.reading import parse
from provision.desk import Desk
from provision.enrolling.identity import own_identity
from provision.errors import Blocked, Busy, NotFinished
from provision.kinds.image import READY
from provision.node import attributes_of
from provision.opennebula import Cloud
from provision.planning.marks import Mark
from provision.planning.plan import plan
from provision.planning.resource import Ref
from provision.pools import DOCUMENT_TYPE, POOLS
from templates.rendering import render
from tests.provision.conftest import Office
from tests.provision.drifts import DRIFTS, until
from tests.provision.mortal import apply_and_die

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = (Path(__file__).parent / "community.yaml").read_text()
ALL = frozenset({"erode", "salem"})

#: Drifts that any front end lets happen, whatever its VMs do, and that are no business of anybody else's.
ANYWHERE = (
    "a quota", "a group's mark", "in the default VDC", "a right", "a VDC", "a VDC's network", "rules", "a gateway",
    "name servers", "a held address", "addresses", "a network's mode", "a network's name", "a lock", "an outbox's mode",
    "the exchange's folders", "a template", "a template's disk", "a template's size", "a VM's group",
)  # fmt: skip


@pytest.fixture(params=["embedded", pytest.param("live", marks=pytest.mark.live)])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """An admin's office with a community of its own name, which is removed afterwards with all that it made."""
    (tmp_path / "exchange").mkdir()
    name = f"gurney-live-{secrets.token_hex(3)}"
    text = TEXT.replace("NAME", name).replace("EXCHANGE", str(tmp_path / "exchange"))
    if request.param == "live":
        if "ONE_XMLRPC" not in os.environ:
            pytest.skip("ONE_XMLRPC names no real front end")
        yield from _in(tmp_path, text, os.environ["ONE_XMLRPC"], login())
    else:
        with _embedded(tmp_path / "state") as cloud:
            yield from _in(tmp_path, text, cloud.endpoint, cloud.session)


def _embedded(state: Path) -> EmbeddedCloud:
    """With what tests/live/front-end.sh lays out on a real one."""
    for place in ("srv/exchange/out/erode", "srv/exchange/out/salem", "var/tmp"):
        (state / "host" / place).mkdir(parents=True)
    (state / "host/var/tmp/gurney-appliance.qcow2").write_bytes(bytes(1 << 20))
    return EmbeddedCloud(Settings(state=state, driver="none"))


def _in(folder: Path, text: str, endpoint: str, auth: str) -> Iterator[Office]:
    identity = own_identity(folder / "identity.txt")
    identity.keep()
    desk = Desk(Cloud(endpoint, auth), open_store(str(folder / "exchange")), identity)
    place: Any = SimpleNamespace(endpoint=endpoint, session=auth)
    office = Office(desk, parse(text), place, folder)
    (folder / "community.yaml").write_text(text)
    try:
        yield office
    finally:
        apply(desk, plan_to_destroy(office.found()), allow=ALL, take_over=True)


def text_of(office: Office) -> str:
    return (office.folder / "community.yaml").read_text()


def others(office: Office) -> dict[str, list[tuple[int, str]]]:
    """What is in the cloud and does not bear the community's name."""
    nodes, own = office.found().pools.nodes, f"{office.community.community}."
    pools = ("group", "vdc", "vn", "image", "template", "secgroup", "datastore", "document", "user")
    return {pool: [(node.id, node.name) for node in nodes[pool] if not node.name.startswith(own)] for pool in pools}


def test_it_arrives_by_the_fewest_calls_and_rests(office: Office) -> None:
    the_plan = office.plan()
    calls = office.desk.cloud.calls
    calls.clear()
    assert not apply(office.desk, the_plan).after
    assert changing(calls) == fewest(the_plan), calls
    by_pool = {call for call, _, _ in POOLS.values()} | {"system.version", "system.config", "user.info"}
    assert {name for name in calls if reads(name)} <= by_pool
    calls.clear()
    assert office.plan().to_json() == []
    assert calls.total() <= 20


def test_it_leaves_others_alone_and_nothing_behind(office: Office) -> None:
    before = others(office)
    office.apply()
    assert others(office) == before
    the_plan = plan_to_destroy(office.found())
    with pytest.raises(Blocked, match="--allow-destroy erode"):
        apply(office.desk, the_plan)
    apply(office.desk, the_plan, allow=ALL)
    assert {ref.kind for ref in office.found().resources} <= {"outbox-folder"}
    assert others(office) == before


def test_each_drift_is_seen_and_made_good(office: Office) -> None:
    office.apply()
    for name in ANYWHERE:
        DRIFTS[name](office, 0)
        assert office.plan(), name
        office.apply(allow=ALL)
        assert not office.plan(), name


@pytest.mark.parametrize(
    ("old", "new", "kind", "field"),
    [
        ("cpu: 3", "cpu: 4", "group", "quota"),
        ("gateway: 10.20.1.1,", "gateway: 10.20.1.254,", "network", "gateway"),
        ("modalities: []", "modalities: [{ae_title: XR1, host: 10.20.2.60}]", "network", "addresses"),
        ("[10.20.0.0/24]", "[10.20.0.0/24, 10.9.0.0/24]", "security-group", "rules"),
    ],
)
def test_a_change_is_made_where_it_stands(office: Office, old: str, new: str, kind: str, field: str) -> None:
    office.apply()
    before = {ref: each.id for ref, each in office.found().resources.items()}
    changed = text_of(office).replace(old, new)
    assert changed != text_of(office)
    steps = list(office.plan(changed))
    assert {step.action for step in steps} == {"update"}
    assert any(step.kind == kind and field in {each.field for each in step.changes} for step in steps)
    assert not office.apply(changed).after
    assert {ref: each.id for ref, each in office.found().resources.items()} == before


@pytest.mark.parametrize("value", ['a "b" c', 'x"\nINJECTED="yes', "[a=b, c]", "தமிழ் & <b>", "a\\b", "$VMID"])
def test_any_text_arrives_as_it_is(office: Office, value: str) -> None:
    text = render("mark", mark=Mark(office.community.community, "tried", value)) + 'NAME="gurney-live-tried"\n'
    number = office.raw("document.allocate", text, DOCUMENT_TYPE)
    try:
        told = attributes_of(office.desk.cloud.read("document.info", number).element.find("TEMPLATE"))
    finally:
        office.raw("document.delete", number)
    assert told["GURNEY_KEY"] == value
    assert "INJECTED" not in told


def test_a_mark_on_somebody_else_s_object_is_not_believed(office: Office) -> None:
    office.apply()
    community = office.community.community
    user = office.raw("user.allocate", f"{community}-other", secrets.token_hex(16), "core", [1])
    forged = render("mark", mark=Mark(community, "template", "erode"))
    number = office.raw("template.allocate", f'NAME="{community}-other"\nCPU="1"\n{forged}')
    try:
        office.raw("template.chown", number, user, 1)
        now = office.found()
        assert now.resources[Ref("template", "erode")].id != number
        assert any(f"id {number}" in words for words in now.foreign)
        assert not office.plan()
    finally:
        office.raw("template.delete", number, False)
        office.raw("user.delete", user)


def test_a_second_admin_is_told_of_the_first(office: Office) -> None:
    community = office.community.community
    with holding(office.desk, community, []), pytest.raises(Busy, match="another admin applies"):
        office.apply()
    assert not office.apply().after


@pytest.mark.parametrize("last", [2, 9, 21, 34])
def test_an_apply_that_is_killed_is_finished_by_the_next(office: Office, last: int) -> None:
    died = apply_and_die(office, office.plan(), last, before=bool(last % 2))
    assert died
    assert not office.apply().after
    assert office.plan().to_json() == []


def test_a_new_branch_that_fails_is_taken_away_again(office: Office) -> None:
    """Somebody makes an image of the name that is needed, after the plan was looked at."""
    lone = text_of(office)[: text_of(office).index("  salem:")]
    apply(office.desk, plan(parse(lone), office.found()))
    before = others(office), sorted(office.found().view.groups)
    the_plan = office.plan()
    text = f'NAME="{office.community.community}.salem.outbox"\nTYPE="DATABLOCK"\nSIZE="1"'
    in_the_way = office.raw("image.allocate", text, 1)
    try:
        with pytest.raises(NotFinished, match=r"salem: \d+ things were taken away again"):
            apply(office.desk, the_plan, rollback=True)
        assert (others(office), sorted(office.found().view.groups)) == before
    finally:
        until(lambda: office.found().pools.by_id["image"][in_the_way].number("STATE") in READY)
        office.raw("image.delete", in_the_way, False)
        until(lambda: in_the_way not in office.found().pools.by_id["image"])
    assert not office.apply(rollback=True).after
