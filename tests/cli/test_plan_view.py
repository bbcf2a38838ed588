"""A plan is read by people: amounts old and new, pairs in words, and what a change does to a VM."""

from __future__ import annotations

import pytest

from cli.plan_view import plan_lines
from provision.kinds.directory import DirectoryEntries
from provision.kinds.group import Group, Limit
from provision.planning.plan import Plan
from provision.planning.resource import Existing, Ref, Resource, differences
from provision.planning.step import UPDATE, Step

IMAGES = Ref("datastore", "default")


def shown(old: object, new: object, kind: str) -> list[str]:
    ref = Ref(kind, "erode")
    step = Step(UPDATE, ref, "kongu.erode", Resource(ref, "x", new), Existing(ref, "x", old), differences(old, new))
    return list(plan_lines(Plan("kongu", (), {}, (step,))))


def plain(line: str) -> str:
    from rich.text import Text

    return Text.from_markup(line).plain.strip()


def group(cpu: float, memory: float, size: float, images: float = -2.0) -> Group:
    limits = (Limit("CPU", cpu), Limit("RUNNING_MEMORY", memory), Limit("IMAGES", images, IMAGES))
    return Group(marked=True, quota=(*limits, Limit("SIZE", size, IMAGES)))


def test_a_quota_s_amounts_stand_old_beside_new() -> None:
    lines = shown(group(4, 8192, 512000), group(8.5, 16384, 1048576), "group")
    told = "quota: CPU 4 -> 8.5, running memory 8GiB -> 16GiB, size of images in default 500GiB -> 1TiB"
    assert plain(lines[2]) == told


def test_a_limit_that_came_or_went_is_told() -> None:
    after = Group(marked=True, quota=group(4, 1, 1).quota[:2])
    lines = shown(group(4, 1, 1), after, "group")
    assert plain(lines[2]) == "quota: -images in default: unlimited, -size of images in default: 1MiB"


@pytest.mark.parametrize(("name", "words"), [("VMS", "VMs"), ("PCI_NIC", "PCI network cards"), ("NEW", "NEW")])
def test_each_limit_has_words(name: str, words: str) -> None:
    assert Limit(name, 2).label == words
    assert Limit(f"RUNNING_{name}", 2).label == f"running {words}"


def test_referrals_read_as_from_and_to() -> None:
    before = DirectoryEntries(frozenset(), frozenset({("erode", "salem")}))
    after = DirectoryEntries(frozenset(), frozenset({("erode", "karur"), ("karur", "erode")}))
    assert plain(shown(before, after, "directory")[2]) == "referrals: -erode to salem, +erode to karur, +karur to erode"


def test_nothing_looks_like_a_program() -> None:
    lines = shown(Group(marked=False, quota=()), Group(marked=True, quota=()), "group")
    assert plain(lines[2]) == "marked: no -> yes"
