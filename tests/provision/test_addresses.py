"""Ranges of addresses, and what is left when some are taken out."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.declaring.addresses import AddressRange, address_range, less, merged, usable, without
from provision.declaring.sizes import Size, size

BASE = int(IPv4Address("10.20.1.0"))
ADDRESSES = st.integers(BASE, BASE + 60).map(IPv4Address)
RANGES = st.lists(
    st.tuples(ADDRESSES, ADDRESSES).map(lambda pair: AddressRange(min(pair), max(pair))), min_size=1, max_size=5
)


def members(ranges: tuple[AddressRange, ...] | list[AddressRange]) -> set[IPv4Address]:
    return {each.first + index for each in ranges for index in range(len(each))}


@given(RANGES, st.sets(ADDRESSES, max_size=20))
def test_without_is_the_difference_of_sets_in_the_fewest_ranges(
    ranges: list[AddressRange], taken: set[IPv4Address]
) -> None:
    left = without(ranges, taken)
    assert members(left) == members(ranges) - taken
    assert left == merged(left)
    assert all(int(b.first) > int(a.last) + 1 for a, b in pairwise(left))


@given(RANGES, st.lists(st.tuples(ADDRESSES, ADDRESSES), max_size=5))
def test_less_is_the_difference_of_sets_in_the_fewest_ranges(
    ranges: list[AddressRange], pairs: list[tuple[IPv4Address, IPv4Address]]
) -> None:
    others = [AddressRange(min(pair), max(pair)) for pair in pairs]
    left = less(ranges, others)
    assert members(left) == members(ranges) - members(others)
    assert left == merged(left)


def test_all_addresses_there_are_cost_no_more_than_a_few() -> None:
    everything = AddressRange(IPv4Address("0.0.0.0"), IPv4Address("255.255.255.255"))
    ends = [IPv4Address("0.0.0.0"), IPv4Address("255.255.255.255")]
    assert [str(each) for each in without([everything], ends)] == ["0.0.0.1-255.255.255.254"]
    assert less([everything], [everything]) == ()
    assert less([everything], []) == (everything,)


def test_neither_the_network_nor_the_broadcast_address_is_usable() -> None:
    assert str(usable(IPv4Network("10.20.1.0/24"))) == "10.20.1.1-10.20.1.254"
    assert len(usable(IPv4Network("10.20.1.0/31"))) == 2


def test_a_range_is_written_with_a_dash() -> None:
    assert len(address_range("10.20.1.100-10.20.1.119")) == 20
    assert str(address_range("10.20.1.7")) == "10.20.1.7"
    with pytest.raises(ValueError, match="ends before it begins"):
        address_range("10.20.1.9-10.20.1.2")


@pytest.mark.parametrize(("text", "mib"), [("512MiB", 512), ("4GiB", 4096), ("1.5 TiB", 1572864), ("0.5GiB", 512)])
def test_a_size_is_a_number_and_a_unit(text: str, mib: int) -> None:
    assert size(text) == Size(mib)
    assert size(str(size(text))) == Size(mib)


@pytest.mark.parametrize("text", ["4", "4GB", "GiB", "-1GiB", "0GiB", "0.001MiB", 4, None, "1e3GiB"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"size|whole number"):
        size(text)
