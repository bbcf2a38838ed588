"""Address ranges of a network, and the leases in them.

A range is kept as a body: its attributes, and `leases`, a map from index in the range to who holds the address
(`{"VM": n}`, `{"VNET": n}` or `{"VROUTER": n}`; VM -1 is an address that is held back).

References: OpenNebula src/vnm/AddressRange.cc, AddressRangeInternal.cc.
"""

from __future__ import annotations

import secrets
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any

from emulator.errors import Code, Refused
from emulator.template import is_yes, whole

if TYPE_CHECKING:
    from emulator.record import Body

MAC_PREFIX = 0x0200
TYPES = ("ETHER", "IP4", "IP6", "IP6_STATIC", "IP4_6", "IP4_6_STATIC")
# What a document adds to a range's own attributes; never taken from a user.
COMPUTED = (
    "ALLOCATED", "USED_LEASES", "LEASES", "MAC_END", "IP_END", "IP6_END", "IP6_ULA", "IP6_ULA_END", "IP6_GLOBAL",
    "IP6_GLOBAL_END",
)  # fmt: skip
PARENT = ("PARENT_NETWORK_AR_ID", "PARENT_NETWORK")

Range = dict[str, Any]


def new_range(number: int, asked: dict[str, str]) -> Range:
    """A range from what a user asks for.

    Raises
    ------
    Refused
        INTERNAL, when its type, addresses or size are wrong.
    """
    attributes = {name: value for name, value in asked.items() if name not in COMPUTED + PARENT}
    if attributes.get("TYPE") not in TYPES:
        raise Refused(Code.INTERNAL, "Unknown or missing address range TYPE.")
    attributes["SHARED"] = "YES" if is_yes(attributes.get("SHARED")) else "NO"
    _check_addresses(attributes)
    attributes.setdefault("MAC", _mac_text(MAC_PREFIX << 32 | _mac_host(attributes)))
    if not attributes.get("SIZE", "").isdigit():
        raise Refused(Code.INTERNAL, "Wrong SIZE for address range")
    attributes.update({"AR_ID": str(number), "NEXT_INDEX": "0"})
    return {"attributes": attributes, "leases": {}}


def _check_addresses(attributes: dict[str, str]) -> None:
    kind = attributes["TYPE"]
    if not kind.startswith("IP4"):
        attributes.pop("IP", None)
    elif _parsed(IPv4Address, attributes.get("IP")) is None:
        raise Refused(Code.INTERNAL, "Wrong or empty IP attribute")
    if kind not in {"IP6", "IP4_6"}:
        attributes.pop("GLOBAL_PREFIX", None)
        attributes.pop("ULA_PREFIX", None)
    if not kind.endswith("STATIC"):
        attributes.pop("IP6", None)
    elif _parsed(IPv6Address, attributes.get("IP6")) is None:
        raise Refused(Code.INTERNAL, "Wrong or empty IP6 attribute")


def _parsed(kind: type[IPv4Address | IPv6Address], text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        return kind(text or "")
    except ValueError:
        return None


def _mac_host(attributes: dict[str, str]) -> int:
    return int(IPv4Address(attributes["IP"])) if "IP" in attributes else secrets.randbits(32)


def random_mac() -> str:
    """The MAC of an interface that leases nothing."""
    return _mac_text(MAC_PREFIX << 32 | secrets.randbits(32))


def _mac_text(number: int) -> str:
    return ":".join(f"{byte:02x}" for byte in number.to_bytes(6, "big"))


def _mac_number(text: str) -> int:
    return int(text.replace(":", ""), 16)


def size(one: Range) -> int:
    """How many addresses the range has."""
    return int(one["attributes"]["SIZE"])


def number_of(one: Range) -> int:
    """AR_ID."""
    return int(one["attributes"]["AR_ID"])


def used(one: Range) -> int:
    """How many addresses are taken."""
    return len(one["leases"])


def free(one: Range) -> int:
    """How many addresses can still be had."""
    return size(one) - used(one)


def address(one: Range, index: int) -> dict[str, str]:
    """MAC and addresses at an index of the range, as a network interface carries them."""
    attributes = one["attributes"]
    found: dict[str, str] = {}
    if "IP" in attributes:
        found["IP"] = str(IPv4Address(attributes["IP"]) + index)
    if "IP6" in attributes:
        found["IP6"] = str(IPv6Address(attributes["IP6"]) + index)
    mac = _mac_number(attributes["MAC"]) + index
    found["MAC"] = _mac_text(mac)
    for name, prefix in (("IP6_ULA", "ULA_PREFIX"), ("IP6_GLOBAL", "GLOBAL_PREFIX")):
        if attributes.get(prefix):
            found[name] = str(IPv6Address(int(IPv6Address(attributes[prefix])) | _eui64(mac)))
    return found


def _eui64(mac: int) -> int:
    high, low = mac >> 24, mac & 0xFFFFFF
    return (high ^ 0x020000) << 40 | 0xFFFE << 24 | low


def shown(one: Range) -> Body:
    """The range as a document shows it."""
    attributes = dict(sorted(one["attributes"].items()))
    first, last = address(one, 0), address(one, max(size(one) - 1, 0))
    ends: Body = {f"{name}_END": last[name] for name in ("MAC", "IP", "IP6") if name in first}
    for name in ("IP6_ULA", "IP6_GLOBAL"):
        if name in first:
            ends.update({name: first[name], f"{name}_END": last[name]})
    leases = [
        dict(sorted({**address(one, int(index)), **{key: str(value) for key, value in holder.items()}}.items()))
        for index, holder in sorted(one["leases"].items(), key=lambda item: int(item[0]))
    ]
    return {**attributes, **ends, "USED_LEASES": used(one), "LEASES": {"LEASE": leases} if leases else {}}


# Holder's kind -> bits that OpenNebula's own form of leases has for it.
HOLDER_BITS = {"VM": 1 << 36, "VNET": 1 << 38, "VROUTER": 1 << 50}


def kept(one: Range) -> Body:
    """The range as pools show it, which is as OpenNebula keeps it."""
    attributes = dict(one["attributes"])
    if one.get("touched") or one["leases"]:
        pairs = [f" {index} {_packed(holder)}" for index, holder in sorted(one["leases"].items(), key=_place)]
        attributes["ALLOCATED"] = "".join(pairs)
    return dict(sorted(attributes.items()))


def _place(item: tuple[str, dict[str, int]]) -> int:
    return int(item[0])


def _packed(holder: dict[str, int]) -> int:
    kind, number = next(iter(holder.items()))
    return HOLDER_BITS[kind] | number & 0xFFFFFFFF


def free_index(one: Range, count: int = 1) -> int:
    """First index, from the last one given on, with that many free addresses in a row; -1 where there is none."""
    total, start = size(one), int(one["attributes"]["NEXT_INDEX"])
    for offset in range(total):
        first = (start + offset) % total
        if first + count <= total and all(str(first + more) not in one["leases"] for more in range(count)):
            return first
    return -1


def lease(one: Range, index: int, holder: dict[str, int]) -> None:
    """Give an address to a holder."""
    one["leases"][str(index)] = holder
    one["touched"] = True


def lease_next(one: Range, holder: dict[str, int], count: int = 1) -> int:
    """Give the next free addresses to a holder; index of the first, -1 where too few are free in a row."""
    index = free_index(one, count)
    if index >= 0:
        for more in range(count):
            lease(one, index + more, holder)
        one["attributes"]["NEXT_INDEX"] = str((index + count) % size(one))
    return index


def index_of(one: Range, asked: dict[str, str]) -> int:
    """Index of an address given by IP, IP6 or MAC; -1 where it is not in the range."""
    attributes = one["attributes"]
    for name, kind in (("IP", IPv4Address), ("IP6", IPv6Address)):
        if asked.get(name) and name in attributes:
            wanted = _parsed(kind, asked[name])
            index = -1 if wanted is None else int(wanted) - int(kind(attributes[name]))
            return index if 0 <= index < size(one) else -1
    if asked.get("MAC"):
        digits = asked["MAC"].replace(":", "")
        index = int(digits, 16) - _mac_number(attributes["MAC"]) if _is_hex(digits) else -1
        return index if 0 <= index < size(one) else -1
    return -1


def _is_hex(text: str) -> bool:
    return bool(text) and all(letter in "0123456789abcdefABCDEF" for letter in text)


def release(one: Range, holder: dict[str, int]) -> int:
    """Take back all addresses of a holder; how many they were."""
    held = [index for index, who in one["leases"].items() if who == holder]
    for index in held:
        del one["leases"][index]
    return len(held)


def updated(one: Range, asked: dict[str, str]) -> None:
    """Change a range: what identifies it stays, the rest becomes what is asked.

    Raises
    ------
    Refused
        INTERNAL, when leases would fall outside.
    """
    old = one["attributes"]
    kept = {
        name: old[name]
        for name in ("AR_ID", "TYPE", "SHARED", "MAC", "IP", "IP6", "NEXT_INDEX", "PREFIX_LENGTH", *PARENT)
        if name in old
    }
    new_size = whole(asked.get("SIZE") or old["SIZE"])
    if PARENT[0] in old and new_size != size(one):
        raise Refused(Code.INTERNAL, "The SIZE of a reservation cannot be changed.")
    if any(int(index) >= new_size for index in one["leases"]):
        text = "New SIZE cannot be applied. There are used leases that would fall outside the range."
        raise Refused(Code.INTERNAL, text)
    others = {name: value for name, value in asked.items() if name not in COMPUTED and name not in kept}
    if old["TYPE"] not in {"IP6", "IP4_6"}:
        others = {name: value for name, value in others.items() if name not in {"GLOBAL_PREFIX", "ULA_PREFIX"}}
    if old["TYPE"] in {"ETHER", "IP6"}:
        others.pop("IP", None)
    one["attributes"] = {**kept, **others, "SIZE": str(new_size)}
