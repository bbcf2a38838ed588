"""IPv4 addresses, networks and ranges of addresses, and what is left of a range when some are taken out."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, order=True)
class AddressRange:
    """Addresses from the first to the last, both included."""

    first: IPv4Address
    last: IPv4Address

    def __len__(self) -> int:
        return int(self.last) - int(self.first) + 1

    def __contains__(self, address: IPv4Address) -> bool:
        return self.first <= address <= self.last

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"

    def all(self) -> Iterator[IPv4Address]:
        """Each address."""
        return (self.first + index for index in range(len(self)))


def spanning(first: IPv4Address, size: int) -> AddressRange:
    """The range of so many addresses from the first on."""
    return AddressRange(first, first + (size - 1))


def merged(ranges: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    """The same addresses in the fewest ranges, in order."""
    result: list[AddressRange] = []
    for each in sorted(ranges):
        if result and int(each.first) <= int(result[-1].last) + 1:
            result[-1] = AddressRange(result[-1].first, max(result[-1].last, each.last))
        else:
            result.append(each)
    return tuple(result)


def less(ranges: Iterable[AddressRange], others: Iterable[AddressRange]) -> tuple[AddressRange, ...]:
    """The addresses of ranges that are not in others, in the fewest ranges; by their ends, however large they are."""
    holes, left = deque(merged(others)), []
    for each in merged(ranges):
        first, last = int(each.first), int(each.last)
        while holes and int(holes[0].last) < first:
            holes.popleft()
        for hole in holes:
            if int(hole.first) > last:
                break
            left.append((first, int(hole.first) - 1))
            first = int(hole.last) + 1
        left.append((first, last))
    return tuple(AddressRange(IPv4Address(first), IPv4Address(last)) for first, last in left if first <= last)


def without(ranges: Iterable[AddressRange], taken: Iterable[IPv4Address]) -> tuple[AddressRange, ...]:
    """The ranges, less the addresses that are taken."""
    return less(ranges, (AddressRange(address, address) for address in taken))


def usable(network: IPv4Network) -> AddressRange:
    """Every address that a machine can have in a network: not the network's own, nor the broadcast address."""
    if network.prefixlen >= 31:
        return AddressRange(network[0], network[-1])
    return AddressRange(network[1], network[-2])


def address(value: Any) -> IPv4Address:
    """The IPv4 address that a text says."""
    if isinstance(value, IPv4Address):
        return value
    try:
        return IPv4Address(value if isinstance(value, str) else str(value))
    except AddressValueError:
        raise ValueError(f"{value!r} is no IPv4 address, as in 10.20.1.10") from None


def network(value: Any) -> IPv4Network:
    """The IPv4 network that a text such as 10.20.1.0/24 says."""
    if isinstance(value, IPv4Network):
        return value
    try:
        found = IPv4Network(value if isinstance(value, str) else str(value), strict=False)
    except (AddressValueError, NetmaskValueError):
        raise ValueError(f"{value!r} is no IPv4 network, as in 10.20.1.0/24") from None
    if "/" not in value:
        raise ValueError(f"{value!r} does not say how large the network is, as in 10.20.1.0/24")
    if str(found.network_address) != value.partition("/")[0]:
        raise ValueError(f"{value!r} is an address inside a network: the network itself is {found}")
    return found


def address_range(value: Any) -> AddressRange:
    """The range that a text such as 10.20.1.100-10.20.1.119 says; a single address is a range of one."""
    if isinstance(value, AddressRange):
        return value
    first, _, last = str(value).partition("-")
    found = AddressRange(address(first.strip()), address((last or first).strip()))
    if found.last < found.first:
        raise ValueError(f"{value!r} ends before it begins")
    return found


IPV4 = r"(\d{1,3}\.){3}\d{1,3}"
AddressText = Annotated[
    IPv4Address, BeforeValidator(address), WithJsonSchema({"type": "string", "pattern": f"^{IPV4}$"})
]
NetworkText = Annotated[
    IPv4Network, BeforeValidator(network), WithJsonSchema({"type": "string", "pattern": rf"^{IPV4}/\d{{1,2}}$"})
]
RangeText = Annotated[
    AddressRange, BeforeValidator(address_range), WithJsonSchema({"type": "string", "pattern": f"^{IPV4}(-{IPV4})?$"})
]
