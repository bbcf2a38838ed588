"""Steps are begun in an order that keeps what waits longest from being last."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.applying.take import _Queue
from provision.kinds.table import KINDS
from provision.planning.resource import Ref
from provision.planning.step import CREATE, Step

#: A loaded machine makes no example wrong.
QUIET = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def step(kind: str, key: str, *after: Step) -> Step:
    return Step(CREATE, Ref(kind, key), key, after=frozenset(each.id for each in after))


def order(*steps: Step) -> list[str]:
    """The order in which one worker would take them."""
    queue, taken = _Queue(steps), []
    while ready := queue.next(1):
        taken += [f"{each.kind} {each.key}" for each in ready]
        queue.done(ready[0])
    return taken


def test_the_longest_way_is_begun_first() -> None:
    group, other = step("group", "a"), step("group", "b")
    rights = step("rights", "a", group)
    template = step("template", "b", other)
    appliance = step("appliance", "b", other, template)
    assert order(group, other, rights, template, appliance) == [
        "group b", "template b", "group a", "appliance b", "rights a",
    ]  # fmt: skip


def test_of_equal_ways_the_later_kind_is_first_and_then_the_plan_s_order() -> None:
    steps = [step(kind, key) for kind in ("vdc", "appliance") for key in ("b", "a")]
    assert order(*steps) == ["appliance b", "appliance a", "vdc b", "vdc a"]


def test_no_more_are_begun_than_asked_for() -> None:
    queue = _Queue(tuple(step("group", str(number)) for number in range(5)))
    assert [len(queue.next(count)) for count in (2, 0, 9, 9)] == [2, 0, 3, 0]


@QUIET
@given(st.data())
def test_each_comes_once_and_after_what_it_waits_for(data: st.DataObject) -> None:
    steps: list[Step] = []
    for number in range(data.draw(st.integers(0, 12))):
        before = data.draw(st.lists(st.sampled_from(steps), unique=True, max_size=3)) if steps else []
        steps.append(step(data.draw(st.sampled_from(sorted(KINDS))), str(number), *before))
    taken = order(*steps)
    assert sorted(taken) == sorted(f"{each.kind} {each.key}" for each in steps)
    place = {name: number for number, name in enumerate(taken)}
    names = {each.id: f"{each.kind} {each.key}" for each in steps}
    assert all(place[names[before]] < place[names[each.id]] for each in steps for before in each.after)
