"""Whether appliances can be kept apart as declared: on enough hosts, by a group that they can still join."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from provision.kinds.vm_group import JOINS_LATER_SINCE, THE_GROUP
from provision.vm_state import ACTIVE, host_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from provision.kinds.vm_group import Apart
    from provision.planning.found import Found
    from provision.planning.resource import Ref, Resource
    from provision.planning.step import Step


def obstacles_apart(wanted: Mapping[Ref, Resource], steps: Sequence[Step], found: Found) -> Iterator[str]:
    """Why declared branches cannot be kept apart, each with the alternative; nothing where they can."""
    group = wanted.get(THE_GROUP)
    joining = [step for step in steps if step.kind == "appliance" and _joins(step)]
    if found.pools.release < JOINS_LATER_SINCE:
        yield from (_too_late(step, found) for step in joining)
    if group is not None:
        yield from _too_few_hosts(group.spec.apart, wanted, found)
        yield from _together(group.spec.apart, {step.key for step in joining}, found)


def _joins(step: Step) -> bool:
    """Whether a step puts a VM that stands into another place in a VM group, or takes it out."""
    return step.action == "update" and any(change.field == "apart" for change in step.changes)


def _too_late(step: Step, found: Found) -> str:
    assert step.existing is not None
    return (
        f"{step}: OpenNebula {found.pools.version} cannot change the VM group of a VM that stands (7.4 can): "
        f"end the VM (onevm terminate {step.existing.id}; its archive stays) and apply again, which makes it anew"
    )


def _too_few_hosts(apart: frozenset[Apart], wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    clusters = {each.spec.cluster.key for each in wanted.values() if each.ref.kind == "template"}
    for name in sorted(clusters):
        cluster = found.pools.named("cluster", name)
        hosts = len(cluster.ids("HOSTS")) if cluster else 0
        for each in sorted(apart):
            if cluster is not None and hosts < len(each.roles):
                yield (
                    f"the appliances of {_listed(each.roles)} are to be kept apart and need {len(each.roles)} hosts; "
                    f"cluster {name} has {hosts}: add hosts to it, or keep fewer branches apart"
                )


def _together(apart: frozenset[Apart], joining: set[str], found: Found) -> Iterator[str]:
    """Appliances on one host, of which one has yet to join: OpenNebula refuses that, and moves nobody by itself."""
    hosts = {name: host for name in found.view.appliances if (host := runs_on(found, name))}
    for first, second in sorted({pair for each in apart for pair in combinations(each.roles, 2)}):
        if {first, second} & joining and hosts.get(first, "") == hosts.get(second) != "":
            yield (
                f"the appliances of {first} and {second} both run on host {hosts[first]} and cannot be kept apart "
                f"while they do: move one (onevm migrate --poff {found.view.appliances[second].id} HOST), apply again"
            )


def conditions_apart(wanted: Mapping[Ref, Resource], found: Found) -> Iterator[str]:
    """Appliances that are in the VM group and share a host all the same: OpenNebula heeds it when it places a VM."""
    group = wanted.get(THE_GROUP)
    for each in sorted(group.spec.apart) if group else ():
        for first, second in combinations(each.roles, 2):
            host = runs_on(found, first)
            if host and host == runs_on(found, second):
                yield f"The appliances of {first} and {second} are declared apart and both run on host {host}."


def runs_on(found: Found, name: str) -> str:
    """The host on which a branch's appliance runs; empty where it does not run."""
    vm = found.view.appliances.get(name)
    return host_of(vm) if vm is not None and vm.number("STATE") == ACTIVE else ""


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
