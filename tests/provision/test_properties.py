"""From any found state to any declared one: apply arrives, rests, and never touches what is not ours."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from emulator.faults import Faults
from emulator.settings import Pace
from exchange.errors import ExchangeError
from provision.errors import CloudChanged, CloudError, ProvisionError
from provision.kinds.image import READY
from provision.pools import POOLS
from tests.provision.drifts import DRIFTS, theirs
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.provision.conftest import Office

#: `GURNEY_EXAMPLES=5000 make test ARGS=tests/provision/test_properties.py` tries more.
EXAMPLES, PARTS = int(os.environ.get("GURNEY_EXAMPLES", "200")), 4
NAMES = ("erode", "salem", "karur")
FAST = Pace(image_s=0, datastore_s=0, host_s=0, schedule_s=0.002, vm_step_s=0.001, poll_s=0.001)

#: Calls that may go wrong on the way, and how: refused, not answered, done and not answered, answered and not done.
FAULTY = (
    "group.allocate", "group.update", "group.quota", "vdc.*", "acl.addrule", "secgroup.*", "vn.*", "image.*",
    "template.allocate", "template.instantiate", "vm.*", "document.*", "datastore.allocate",
)  # fmt: skip
#: How long is waited: on a bad day for what a fault has made impossible, on a good one for what has to come.
LIMITS = ("image.MEASURED_LIMIT_S", "image.DELETED_LIMIT_S", "appliance.IMAGES_LIMIT_S", "appliance.STATE_LIMIT_S",
          "ending.PATIENCE_S", "ending.SETTLED_S", "ending.LIMIT_S")  # fmt: skip
PATIENCE_S, ON_A_BAD_DAY_S = 60.0, 0.3
WAYS = ("2048", "drop", "lost", "noop")

#: Archives may be lost; what an apply of before has left standing is over, although this process lives on.
LEAVE: Any = {"allow": frozenset(NAMES), "take_over": True}
Stage = tuple[list[str], bool, str, list[tuple[str, int]]]

faults = st.builds("{}:{}@{}".format, st.sampled_from(FAULTY), st.sampled_from(WAYS), st.integers(1, 6))
bad_days = st.lists(faults, max_size=2)
drifts = st.lists(st.tuples(st.sampled_from(sorted(DRIFTS)), st.integers(0, 3)), max_size=3)


@st.composite
def communities(draw: st.DrawFn, example: dict[str, Any]) -> str:
    """Any community of one to three branches, mostly of few."""
    names = draw(
        st.lists(st.sampled_from(NAMES), min_size=1, max_size=draw(st.sampled_from([1, 2, 2, 3])), unique=True)
    )
    branches = {name: draw(branch(NAMES.index(name) + 1)) for name in names}
    text = {**example, "branches": branches}
    text.pop("referrals")
    if len(names) > 1 and draw(st.booleans()):
        text["referrals"] = [{"from": names[0], "to": [names[1]]}]
    if draw(st.booleans()):
        text["cloud"] = {**example["cloud"], "management": ["10.20.0.0/24", "10.9.0.0/16"]}
    if draw(st.integers(0, 3)) == 0:
        text["image"] = {"path": "/var/tmp/another.qcow2"}
    text["appliance"] = {**example["appliance"], "archive": draw(st.sampled_from(["200GiB", "200GiB", "300GiB"]))}
    return yaml.safe_dump(text)


@st.composite
def branch(draw: st.DrawFn, number: int) -> dict[str, Any]:
    """Any branch on its own /24."""
    net = f"10.20.{number}"
    hosts = draw(st.lists(st.integers(20, 250), max_size=3, unique=True))
    network: dict[str, Any] = {
        "cidr": f"{net}.0/24",
        "vlan": 100 + number + 10 * (draw(st.integers(0, 5)) == 0),
        "appliance": f"{net}.10",
    }
    if draw(st.booleans()):
        network["gateway"] = f"{net}.{draw(st.sampled_from([1, 254]))}"
    if draw(st.booleans()):
        network["dns"] = ["10.20.0.53"]
    if draw(st.booleans()):
        network["addresses"] = [f"{net}.100-{net}.{draw(st.integers(100, 200))}"]
    own = {"appliance": {"memory": draw(st.sampled_from(["2GiB", "3GiB"]))}} if draw(st.booleans()) else {}
    return {
        "title": draw(st.sampled_from(["A", 'The "Hope" [x] = Hospital', "மருத்துவமனை"])),
        "ae_title": f"AE{number}",
        "network": network,
        "quota": {
            "cpu": draw(st.sampled_from([2, 4, 8.5])),
            "memory": draw(st.sampled_from(["4GiB", "16GiB"])),
            "disk": draw(st.sampled_from(["400GiB", "1TiB"])),
            "vms": draw(st.integers(1, 5)),
        },
        "staff": draw(st.dictionaries(st.sampled_from(["a.one", "b.two"]), st.sampled_from(["doctor", "admin"]))),
        "modalities": [{"ae_title": f"CT{host}", "host": f"{net}.{host}"} for host in hosts if host != 254],
        **own,
    }


FORGED = 'GURNEY_COMMUNITY="kongu"\nGURNEY_KIND="{}"\nGURNEY_KEY="erode"'


def make_theirs(office: Office) -> None:
    """Things of somebody else; some of them bear our marks, for an account that is not ours."""
    group = office.raw("group.allocate", "theirs")
    mallory = office.raw("user.allocate", "theirs", "secret", "core", [group])
    office.raw("vdc.allocate", 'NAME="theirs"')
    made = {
        "vn": ('NAME="theirs"\nVN_MAD="bridge"\nBRIDGE="br0"\n', (0,), "network"),
        "template": ('NAME="theirs"\nCPU="1"\n', (), "template"),
        "secgroup": ('NAME="theirs"\n', (), "security-group"),
        "image": ('NAME="theirs"\nTYPE="DATABLOCK"\nSIZE="1"\n', (1,), "archive"),
    }
    for api, (text, more, kind) in made.items():
        number = office.raw(f"{api}.allocate", text + FORGED.format(kind), *more)
        office.raw(f"{api}.chown", number, mallory, group)
    office.raw("group.update", group, FORGED.format("group"), 1)
    until(lambda: office.found().pools.by_id["image"][theirs(office, "image")].number("STATE") in READY)


def foreign(office: Office) -> list[str]:
    """Everything in the cloud that is not ours; a cluster or VDC that names something new of ours has not changed."""
    pools = office.found().pools.nodes
    nodes = [node for pool in sorted(set(POOLS) - {"host", "cluster"}) for node in pools[pool] if node.name == "theirs"]
    return [ET.tostring(node.element, encoding="unicode") for node in nodes]


@pytest.fixture
def fast_offices(new_office: Callable[..., Office], monkeypatch: pytest.MonkeyPatch) -> Callable[[], Office]:
    """Makes offices whose cloud and whose waiting take next to no time."""
    monkeypatch.setattr("provision.applying.watch.FIRST_S", 0.002)

    def make() -> Office:
        office = new_office(uuid.uuid4().hex, pace=FAST)
        files = office.folder / "state" / "host" / "var" / "tmp"
        (files / "another.qcow2").write_bytes(bytes(1 << 20))
        make_theirs(office)
        return office

    return make


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_apply_arrives_and_rests_and_touches_nothing_else(
    fast_offices: Callable[[], Office], example_text: str, part: int
) -> None:
    example = yaml.safe_load(example_text)

    @settings(
        max_examples=max(EXAMPLES // PARTS, 1),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        database=None,
    )
    @given(road=st.lists(st.tuples(bad_days, st.booleans(), communities(example), drifts), min_size=1, max_size=3))
    def any_road(road: list[Stage]) -> None:
        office = fast_offices()
        try:
            before = foreign(office)
            for stage in road:
                go_on(office, *stage)
                assert foreign(office) == before
        finally:
            office.embedded.stop()

    any_road()


@contextmanager
def patience(limit_s: float) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for place in LIMITS:
            patched.setattr(f"provision.kinds.{place}", limit_s)
        yield


def go_on(office: Office, bad_day: list[str], rollback: bool, text: str, happening: list[tuple[str, int]]) -> None:
    """Apply, perhaps on a bad day first; arrive and rest; then let things happen."""
    office.embedded.faults = Faults(bad_day)
    with suppress(ProvisionError, ExchangeError), patience(ON_A_BAD_DAY_S if bad_day else PATIENCE_S):
        office.apply(text, rollback=rollback, **LEAVE)
    office.embedded.faults = Faults()
    with patience(PATIENCE_S):
        arrived = arrive(office, text)
    for name, choice in happening if arrived else ():
        with suppress(CloudError, LookupError):
            DRIFTS[name](office, choice)


def arrive(office: Office, text: str) -> bool:
    """Apply on a good day, and rest; False where it is told why that cannot be."""
    if obstacles := office.plan(text).obstacles:
        assert [words for words in obstacles if "cannot shrink" not in words and "is leased" not in words] == []
        return False
    with suppress(CloudChanged):  # a rollback that went wrong is finished first
        office.apply(text, **LEAVE)
    office.apply(text, **LEAVE)
    assert office.plan(text).to_json() == []
    return True


def test_every_drift_is_seen_and_made_good(office: Office, example_text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the drifts above, one by one: so none of them is a call that is always refused."""
    monkeypatch.setattr("provision.applying.watch.FIRST_S", 0.01)
    office.apply()
    make_theirs(office)
    refused = {"a network", "an outbox", "an outbox is persistent", "a security group", "a VM is off"}  # while in use
    unseen = {*refused, "a VM's marks"}  # a VM is known by its template, and a guest may write what it likes
    for name, drift in DRIFTS.items():
        with suppress(*(CloudError,) if name in refused else ()):
            drift(office, 0)
        drifted = bool(office.plan())
        assert drifted == (name not in unseen), name
        office.apply(allow=frozenset(NAMES))
        assert not office.plan(), name
