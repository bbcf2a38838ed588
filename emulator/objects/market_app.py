"""Appliances of marketplaces: offering an image in one.

References: OpenNebula src/market/MarketPlaceApp.cc, src/rm/api/MarketPlaceAppAPI.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from emulator.access import create, manage, require, use
from emulator.document import ids
from emulator.errors import Code, Refused
from emulator.naming import check_name
from emulator.objects.image_life import ctime, random_name
from emulator.objects.market_file import forget_file, md5_of, publish, published
from emulator.objects.ownership import owner_body, permissions
from emulator.objects.shared import common, owned_pool, update
from emulator.template import first, parse, take, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud, Event
    from emulator.record import Body, Record
    from emulator.registry import Table

READY, LOCKED, ERROR, DISABLED = 1, 2, 3, 4
TYPES = {"IMAGE": 1, "VMTEMPLATE": 2, "SERVICE_TEMPLATE": 3}
CREATING_DRIVERS = ("http", "s3")


def allocate(call: Call, text: str, market_id: int) -> int:
    """Offer an image in a marketplace; it is LOCKED until the image is copied there."""
    template = parse(text)
    market = call.store.get("market", market_id)
    if market is None:
        raise Refused(Code.INTERNAL, f"Cannot find associated MARKETPLACE ID = {market_id}")
    require(call, create("marketapp", call.caller.gid), use(market))
    if market.body["MARKET_MAD"] not in CREATING_DRIVERS:
        raise Refused(Code.ACTION, f"Create disabled for market: {market.name}")
    name = take(template, "NAME")
    check_name(call.store, "marketapp", name, call.caller.uid)
    app = new_app(call, market, name, template)
    if app.body["TYPE"] != TYPES["IMAGE"]:
        app.body["STATE"] = READY  # a template is copied with the call
        return app.oid
    if call.store.get("image", whole(app.body["ORIGIN_ID"])) is None:
        _fail(call.cloud, app, "Image does not exist.")
        raise Refused(Code.INTERNAL, "Image does not exist.", keeps=True)
    call.cloud.later(call.cloud.pace.image_s, "marketapp.copied", app.oid)
    return app.oid


def new_app(call: Call, market: Record, name: str, template: Body) -> Record:
    """A new appliance, LOCKED."""
    oid = call.store.next_id("marketapp")
    owner = owner_body(call.caller, oid, "")
    del owner["NAME"]
    body = {
        **owner,
        "REGTIME": call.cloud.clock.seconds(),
        "NAME": name,
        "ZONE_ID": "0",
        "ORIGIN_ID": take(template, "ORIGIN_ID") or "-1",
        **{key: take(template, key) for key in ("SOURCE", "MD5")},
        "SIZE": whole(take(template, "SIZE"), 0),
        "DESCRIPTION": first(template, "DESCRIPTION"),
        "VERSION": take(template, "VERSION") or "0.0",
        **{key: take(template, key) for key in ("FORMAT", "APPTEMPLATE64")},
        "MARKETPLACE_ID": market.oid,
        "MARKETPLACE": market.name,
        "STATE": LOCKED,
        "TYPE": TYPES.get(first(template, "TYPE").upper() or "IMAGE", 0),
        "PERMISSIONS": permissions(),
        "TEMPLATE": template,
    }
    apps = call.store.edit(market).body
    apps["MARKETPLACEAPPS"] = ids([*apps["MARKETPLACEAPPS"].get("ID", []), oid])
    return call.store.add("marketapp", oid, body)


def _fail(cloud: Cloud, app: Record, text: str) -> None:
    body = cloud.store.edit(app).body
    body["STATE"] = ERROR
    body["TEMPLATE"]["ERROR"] = [f"{ctime(cloud)} : {text}"]


def copied(cloud: Cloud, oid: int, _arguments: Body) -> None:
    """The image got to the marketplace, or did not."""
    app = cloud.store.get("marketapp", oid)
    if app is None or app.state != LOCKED:
        return
    image = cloud.store.get("image", whole(app.body["ORIGIN_ID"]))
    market = cloud.store.get("market", app.body["MARKETPLACE_ID"])
    name = random_name()
    folder = market.attribute("PUBLIC_DIR") if market else ""
    if image is not None and market is not None and publish(cloud, image, market, name):
        base = market.attribute("BASE_URL").removesuffix("/")
        cloud.store.edit(app).body.update({"SOURCE": f"{base}/{name}", "STATE": READY, "FORMAT": image.body["FORMAT"]})
        app.body.update({"SIZE": image.body["SIZE"], "MD5": md5_of(published(cloud, market, name))})
        return
    source = image.body["SOURCE"] if image else ""
    _fail(cloud, app, f"Error importing app into marketplace: Error copyingError copying {source} to {folder}/{name}")


def _updated(call: Call, app: Record, _old: Body) -> None:
    body = call.store.edit(app).body
    body["DESCRIPTION"] = first(app.template, "DESCRIPTION") or body["DESCRIPTION"]
    body["VERSION"] = take(app.template, "VERSION")


def enable(call: Call, oid: int, enabled: bool) -> int:
    """Offer an appliance, or not."""
    app = call.get("marketapp", oid)
    require(call, manage(app))
    if app.state in {READY, DISABLED}:
        call.store.edit(app).body["STATE"] = READY if enabled else DISABLED
    return oid


def delete(call: Call, oid: int) -> int:
    """Withdraw an appliance."""
    app = call.get("marketapp", oid)
    require(call, manage(app))
    delete_app(call.cloud, app)
    return oid


def delete_app(cloud: Cloud, app: Record) -> None:
    """Take an appliance out of its marketplace, with its content."""
    market = cloud.store.get("market", app.body["MARKETPLACE_ID"])
    forget_file(cloud, app, market)
    if market is not None:
        body = cloud.store.edit(market).body
        body["MARKETPLACEAPPS"] = ids([one for one in body["MARKETPLACEAPPS"].get("ID", []) if one != app.oid])
    cloud.store.remove(app)


TABLE: Table = {
    **common("marketapp", allocate=allocate, enable=enable, delete=delete, update=update("marketapp", after=_updated)),
    "one.marketapppool.info": owned_pool("marketapp"),
}
EVENTS: dict[str, Event] = {"marketapp.copied": copied}
