"""Numbered documents of the community: the newest valid one is taken, and none older than one seen before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from exchange.errors import Malformed, NotThere, OlderDirectory, Refused
from exchange.places import versioned
from exchange.store import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.store import Reader, Writer

MAX_BYTES = 8 << 20
_MAX_ENTRIES = 10_000
_MAX_TRIED = 64
_KEPT = 32


class Versioned(Protocol):
    """A value that carries its version, counted from 1."""

    @property
    def version(self) -> int:
        """Higher is newer."""


T_co = TypeVar("T_co", bound=Versioned, covariant=True)
T = TypeVar("T", bound=Versioned)


@dataclass(frozen=True)
class Latest(Generic[T_co]):
    """The newest valid value, and what was passed over or looks odd on the way, a line each."""

    value: T_co
    warnings: tuple[str, ...] = ()


def newest(reader: Reader, folder: str, suffix: str, *, floor: int, opened: Callable[[bytes], T]) -> Latest[T] | None:
    """The highest version that opens and says itself what its name says; None if there is none.

    At most 10,000 names are looked at and the 64 highest tried, so that garbage costs a reader little.

    Raises
    ------
    OlderDirectory
        There are valid ones, all lower than `floor`.
    """
    warnings: list[str] = []
    for version, name in _candidates(reader, folder, suffix, warnings):
        try:
            value = opened(reader.read(name, MAX_BYTES))
            _check_version(value, version, floor)
        except OlderDirectory:
            raise
        except (Refused, NotThere) as error:
            warnings.append(f"{name} is passed over: {error}")
            continue
        return Latest(value, tuple(warnings))
    return None


def _candidates(reader: Reader, folder: str, suffix: str, warnings: list[str]) -> Iterator[tuple[int, str]]:
    pattern = re.compile(r"([0-9]{10})" + re.escape(suffix))
    found = []
    for entry in islice(reader.list(folder), _MAX_ENTRIES):
        match = pattern.fullmatch(entry.name)
        if match and entry.kind == "file":
            found.append(int(match[1]))
        elif match:
            warnings.append(f"{folder}/{printable(entry.name)} is passed over: not a regular file")
    for version in sorted(found, reverse=True)[:_MAX_TRIED]:
        yield version, versioned(folder, version, suffix)


def _check_version(value: Versioned, named: int, floor: int) -> None:
    if value.version != named:
        raise Malformed(f"its name says version {named} and its content {value.version}")
    if named < floor:
        raise OlderDirectory(f"the newest valid version is {named}, but version {floor} was seen before")


def publish(store: Writer, folder: str, version: int, suffix: str, content: bytes) -> str:
    """Write one version and remove all but the 32 newest; returns its name.

    Raises
    ------
    AlreadyThere
        Somebody else published this version first: read again and take the next.
    """
    name = versioned(folder, version, suffix)
    store.put(name, content)
    published = sorted(entry.name for entry in store.list(folder) if entry.name.endswith(suffix))
    for old in published[:-_KEPT]:
        store.delete(f"{folder}/{old}")
    return name
