"""Marketplaces: where ready images are offered.

References: OpenNebula src/market/MarketPlace.cc, src/rm/api/MarketPlaceAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.ownership import chmod, chown, owner_body, permissions
from emulator.objects.shared import info, rename, update, whole_pool
from emulator.template import first, parse, take

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.record import Body, Record
    from emulator.registry import Table

FIRST_ID = 100
ENABLED, DISABLED = 0, 1


def new_market(call: Call, name: str, template: Body, oid: int | None = None) -> Record:
    """A new marketplace."""
    if oid is None:
        oid = call.store.next_id("market", FIRST_ID)
    bits = "111100100" if oid < FIRST_ID else "110000000"
    body = {
        **owner_body(call.caller, oid, name),
        "STATE": ENABLED,
        "MARKET_MAD": first(template, "MARKET_MAD"),
        "ZONE_ID": "0",
        **dict.fromkeys(("TOTAL_MB", "FREE_MB", "USED_MB"), 0),
        "MARKETPLACEAPPS": {},
        "PERMISSIONS": permissions(bits),
        "TEMPLATE": template,
    }
    return call.store.add("market", oid, body)


def allocate(call: Call, text: str) -> int:
    """Name a marketplace."""
    template = parse(text)
    require(call, create("market", call.caller.gid))
    name = take(template, "NAME")
    check_name(call.store, "market", name)
    _check_driver(call, template)
    return new_market(call, name, template).oid


def _check_driver(call: Call, template: Body) -> None:
    driver = first(template, "MARKET_MAD")
    about = call.cloud.configuration.vector("MARKET_MAD_CONF", driver)
    if not driver:
        text = "No marketplace driver (MARKET_MAD) in template."
        raise Refused(Code.ALLOCATE, f"Error allocating a new marketplace. {text}")
    if about is None:
        text = f'MARKET_MAD_CONF named "{driver}" is not defined in oned.conf'
        raise Refused(Code.ALLOCATE, f"Error allocating a new marketplace. {text}")
    for required in filter(None, about.get("REQUIRED_ATTRS", "").split(",")):
        if not first(template, required):
            text = f'MarketPlace template is missing the "{required}" attribute or it\'s empty.'
            raise Refused(Code.ALLOCATE, f"Error allocating a new marketplace. {text}")


def enable(call: Call, oid: int, enabled: bool) -> int:
    """Look into a marketplace, or not."""
    market = call.get("market", oid)
    require(call, manage(market))
    call.store.edit(market).body["STATE"] = ENABLED if enabled else DISABLED
    return oid


def delete(call: Call, oid: int) -> int:
    """Forget an empty marketplace."""
    market = call.get("market", oid)
    require(call, manage(market))
    if market.body["MARKETPLACEAPPS"]:
        raise Refused(Code.ACTION, f"Cannot delete marketplace. marketplace  {oid} is not empty.")
    call.store.remove(market)
    return oid


TABLE: Table = {
    "one.market.allocate": allocate,
    "one.market.info": info("market"),
    "one.market.update": update("market"),
    "one.market.rename": rename("market"),
    "one.market.chmod": chmod("market"),
    "one.market.chown": chown("market"),
    "one.market.enable": enable,
    "one.market.delete": delete,
    "one.marketpool.info": whole_pool("market"),
}
