"""Quotas of users and groups: limits, what is used, and the check before anything is used.

References: OpenNebula src/um/Quota.cc, QuotaVirtualMachine.cc, Quotas.cc.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emulator.errors import Code, Refused
from emulator.template import parse, vectors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from emulator.record import Body, Record
    from emulator.store import Store

DEFAULT, UNLIMITED = -1, -2
METRICS = {
    "DATASTORE": ("IMAGES", "SIZE"),
    "NETWORK": ("LEASES",),
    "IMAGE": ("RVMS",),
    "VM": (
        "VMS", "RUNNING_VMS", "CPU", "RUNNING_CPU", "MEMORY", "RUNNING_MEMORY",
        "PCI_DEV", "RUNNING_PCI_DEV", "PCI_NIC", "RUNNING_PCI_NIC", "SYSTEM_DISK_SIZE",
    ),
}  # fmt: skip
SECTIONS = ("DATASTORE", "NETWORK", "VM", "IMAGE")  # as documents show them

Limits = dict[str, str]


@dataclass(frozen=True)
class Usage:
    """What an action would use: amounts by metric, in one element of one section.

    `key` is the id of the datastore, network or image; "" for VMs. `cluster` is where VMs would run, -1 if not known.
    """

    section: str
    key: str
    amounts: dict[str, float]
    cluster: int = -1
    only_cluster: bool = False


def of_machine(vm: Record, amounts: dict[str, float]) -> Usage:
    """What a virtual machine uses of the section VM, and of the quota of the cluster in which it is."""
    return Usage("VM", "", amounts, int(vm.hidden.get("cluster", -1)))


def recount(elements: list[Limits], machines: Iterable[tuple[int, dict[str, float]]]) -> None:
    """Count anew what is used in clusters, from the cluster of each machine and what it uses."""
    for element in (one for one in elements if one.get("CLUSTER_IDS")):
        element.update({f"{metric}_USED": "0" for metric in METRICS["VM"]})
        inside = set(element["CLUSTER_IDS"].split(","))
        for cluster, amounts in machines:
            if str(cluster) in inside:
                _count(element, amounts, 1)


def shown(record: Record) -> Body:
    """The four sections of a user's or group's quotas, as documents show them."""
    return shown_quotas(record.hidden.get("quotas", {}))


def shown_quotas(quotas: Body) -> Body:
    """The four sections, as documents show them."""
    return {
        f"{section}_QUOTA": {section: [dict(sorted(one.items())) for one in quotas.get(section, [])]}
        for section in SECTIONS
    }


def set_limits(quotas: Body, text: str, *, is_default: bool = False, clusters: frozenset[int] = frozenset()) -> None:
    """Take limits from a template: an element that is named replaces the old one as a whole.

    Raises
    ------
    Refused
        ACTION, for limits below -2 and elements without an id.
    """
    template = parse(text)
    for section in ("DATASTORE", "NETWORK", "IMAGE", "VM"):
        for wanted in vectors(template, section):
            _set_element(quotas, section, wanted, is_default=is_default, clusters=clusters)


def _set_element(quotas: Body, section: str, wanted: Limits, *, is_default: bool, clusters: frozenset[int]) -> None:
    elements = quotas.setdefault(section, [])
    key = _key(section, wanted, clusters, elements)
    limits = {metric: _limit(section, wanted, metric, is_default=is_default) for metric in METRICS[section]}
    element = _find(elements, section, key)
    if element is None:
        element = {("CLUSTER_IDS" if section == "VM" else "ID"): key} if key else {}
        element.update({f"{metric}_USED": "0" for metric in METRICS[section]})
        elements.append(element)
    element.update(limits)
    _clean(elements, element, section, is_default=is_default)


def _key(section: str, wanted: Limits, clusters: frozenset[int], elements: list[Limits]) -> str:
    if section != "VM":
        key = wanted.get("ID", "")
        if not key.lstrip("-").isdigit():
            raise _bad(section, wanted)
        return key
    numbers = sorted({int(one) for one in wanted.get("CLUSTER_IDS", "").split(",") if one.strip().isdigit()})
    key = ",".join(map(str, numbers))
    if _find(elements, "VM", key) is None:
        _check_clusters(numbers, clusters, elements)
    return key


def _check_clusters(numbers: list[int], clusters: frozenset[int], elements: list[Limits]) -> None:
    for number in numbers:
        if number not in clusters:
            raise Refused(Code.ACTION, f"Cluster {number} does not exist")
        if any(str(number) in one.get("CLUSTER_IDS", "").split(",") for one in elements):
            raise Refused(Code.ACTION, f"Quota for cluster id {number} already exists")


def _limit(section: str, wanted: Limits, metric: str, *, is_default: bool) -> str:
    implicit = UNLIMITED if is_default else DEFAULT
    value = _number(wanted.get(metric, ""), implicit)
    if value < 0 and value != UNLIMITED and (is_default or value != DEFAULT):
        raise _bad(section, wanted)
    return number_text(value)


def _bad(section: str, wanted: Limits) -> Refused:
    listed = ",".join(f"{name}={value}" for name, value in sorted(wanted.items()))
    return Refused(Code.ACTION, f"Negative limits or bad format in quota {section} = [ {listed} ]")


def _clean(elements: list[Limits], element: Limits, section: str, *, is_default: bool) -> None:
    """Drop an element that limits nothing and counts nothing."""
    in_cluster = bool(element.get("CLUSTER_IDS"))
    implicit = UNLIMITED if is_default or in_cluster else DEFAULT
    if in_cluster:
        element.update({metric: "-2" for metric in METRICS[section] if element[metric] == "-1"})
    counts = not in_cluster and any(float(element[f"{metric}_USED"]) for metric in METRICS[section])
    limits = any(float(element[metric]) != implicit for metric in METRICS[section])
    if not counts and not limits:
        elements.remove(element)


def charge(store: Store, uid: int, gid: int, usage: Usage) -> None:
    """Count what a user of a group is about to use, if both have room for it.

    Raises
    ------
    Refused
        AUTHORIZATION, naming the limit. The transaction around undoes what was counted before.
    """
    for kind, oid in (("user", uid), ("group", gid)):
        record = store.get(kind, oid) if oid > 0 else None
        if record is None:
            continue
        defaults = default_quotas(store, kind)
        try:
            _charge(store.edit(record).hidden.setdefault("quotas", {}), defaults, usage)
        except _Reached as reached:
            raise Refused(Code.AUTHORIZATION, f"User [{uid}] : {kind} [{oid}] {reached}.") from None


def release(store: Store, uid: int, gid: int, usage: Usage) -> None:
    """Give back what was counted."""
    for kind, oid in (("user", uid), ("group", gid)):
        record = store.get(kind, oid) if oid > 0 else None
        if record is not None:
            _release(store.edit(record).hidden.setdefault("quotas", {}), usage)


def default_quotas(store: Store, kind: str) -> Body:
    """The limits for users or groups that have none of their own."""
    record = store.get("defaults", 0)
    quotas: Body = record.hidden[kind] if record else {}
    return quotas


class _Reached(Exception):
    """A limit is reached."""


def _charge(quotas: Body, defaults: Body, usage: Usage) -> None:
    elements = quotas.setdefault(usage.section, [])
    default = _find(defaults.get(usage.section, []), usage.section, usage.key)
    for element in _concerned(elements, usage, make=True):
        for metric, amount in usage.amounts.items():
            limit, used = float(element[metric]), float(element[f"{metric}_USED"])
            if limit == DEFAULT:
                limit = float(default[metric]) if default else UNLIMITED
            if limit != UNLIMITED and used + amount > limit:
                within = f" with ID: {usage.key}" if usage.key else ""
                text = f"limit of {number_text(limit)} reached for {metric} quota in {usage.section}{within}"
                raise _Reached(text)
        _count(element, usage.amounts, 1)


def _release(quotas: Body, usage: Usage) -> None:
    elements = quotas.setdefault(usage.section, [])
    for element in _concerned(elements, usage, make=False):
        _count(element, usage.amounts, -1)
        _clean(elements, element, usage.section, is_default=False)


def _count(element: Limits, amounts: dict[str, float], sign: int) -> None:
    for metric, amount in amounts.items():
        element[f"{metric}_USED"] = number_text(float(element[f"{metric}_USED"]) + sign * amount)


def _concerned(elements: list[Limits], usage: Usage, *, make: bool) -> list[Limits]:
    found = [one for one in elements if str(usage.cluster) in one.get("CLUSTER_IDS", "").split(",")]
    if usage.only_cluster:
        return found
    element = _find(elements, usage.section, usage.key)
    if element is None and make:
        element = {"ID": usage.key} if usage.key else {}
        element.update(dict.fromkeys(METRICS[usage.section], "-1"))
        element.update({f"{metric}_USED": "0" for metric in METRICS[usage.section]})
        elements.append(element)
    return found + ([element] if element is not None else [])


def _find(elements: list[Limits], section: str, key: str) -> Limits | None:
    name = "CLUSTER_IDS" if section == "VM" else "ID"
    return next((one for one in elements if one.get(name, "") == key), None)


def _number(text: str, default: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return default
    return number if math.isfinite(number) else default


def number_text(value: float) -> str:
    """A number as OpenNebula writes it: no decimals where there are none."""
    return str(int(value)) if value == int(value) else f"{value:.2f}"
