"""Which files of the front end a datastore may read (RESTRICTED_DIRS and SAFE_DIRS, as its drivers take them)."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from provision.node import first

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from provision.planning.found import Found
    from provision.planning.step import Step


def out_of_reach(steps: Iterable[Step], found: Found) -> Iterator[str]:
    """Images that are to be made from a file that their datastore would refuse."""
    for step in steps:
        source = getattr(step.declared.spec, "source", "") if step.declared else ""
        if step.action == "create" and step.kind == "appliance-image" and step.declared and source.startswith("/"):
            yield from _refused(source, step.declared.spec.datastore.key, found)


def _refused(source: str, name: str, found: Found) -> Iterator[str]:
    node = found.pools.named("datastore", name)
    told = node.attributes() if node is not None else {}
    safe = first(told, "SAFE_DIRS").split()
    if _within(source, first(told, "RESTRICTED_DIRS").split()) and not _within(source, safe):
        allowed = " or ".join(safe) or "none"
        yield f"datastore {name} may not read {source}: put it into one of its SAFE_DIRS ({allowed}), or change them"


def _within(path: str, folders: Iterable[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(folder) for folder in folders)
