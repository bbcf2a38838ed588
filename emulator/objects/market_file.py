"""What marketplaces hold: the content of their appliances, on its way into them and out again.

A marketplace that can be written to (MARKET_MAD http) keeps its files in its PUBLIC_DIR on the front end, which a web
server would offer under BASE_URL; that folder is asked instead. "OpenNebula Public" offers what `--market` names.

References: OpenNebula src/market_mad/remotes/http/import, src/rm/api/ImageAPI.cc `allocate` (FROM_APP).
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.errors import Code, Refused
from emulator.objects.front_end_files import host_path, image_folder
from emulator.template import first, whole

if TYPE_CHECKING:
    from emulator.call import Call
    from emulator.cloud import Cloud
    from emulator.record import Body, Record

CONTENT = "disk"


def published(cloud: Cloud, market: Record, name: str) -> Path:
    """Where a marketplace keeps a file."""
    return host_path(cloud, market.attribute("PUBLIC_DIR")) / name


def publish(cloud: Cloud, image: Record, market: Record, name: str) -> bool:
    """Copy an image into a marketplace, an empty file where it has no content here; whether it could be."""
    place = published(cloud, market, name)
    content = content_of(cloud, image)
    if not place.parent.is_dir():
        return False
    if content is None:
        place.touch()
    else:
        shutil.copyfile(content, place)
    return True


def content_of(cloud: Cloud, image: Record) -> Path | None:
    """The file that an image is, None where it is none."""
    own = image_folder(cloud, image) / CONTENT
    if own.is_file():
        return own
    path = image.body["PATH"]
    source = host_path(cloud, path)
    return source if path and "://" not in path and source.is_file() else None


def file_of(cloud: Cloud, app: Record) -> Path | None:
    """The content of an appliance, None where it is gone."""
    if "file" in app.hidden:
        place = Path(app.hidden["file"])
    else:
        market = cloud.store.get("market", app.body["MARKETPLACE_ID"])
        name = app.body["SOURCE"].rpartition("/")[2]
        if market is None or not name:
            return None
        place = published(cloud, market, name)
    return place if place.is_file() else None


def forget_file(cloud: Cloud, app: Record, market: Record | None) -> None:
    """Remove an appliance's content, unless it is only offered from elsewhere."""
    name = app.body["SOURCE"].rpartition("/")[2]
    if market is not None and name and "file" not in app.hidden:
        published(cloud, market, name).unlink(missing_ok=True)


def import_mistake(cloud: Cloud, image: Record) -> str:
    """Why an image cannot be had from its appliance, "" where it can."""
    app = cloud.store.get("marketapp", image.hidden["app"])
    content = file_of(cloud, app) if app is not None else None
    if app is None or content is None:
        return f"Error copying image in the datastore: Error copying {image.body['PATH']}"
    if app.body["MD5"] and md5_of(content) != app.body["MD5"]:
        return "Error copying image in the datastore: Hash does not match"
    return ""


def import_content(cloud: Cloud, image: Record) -> Path | None:
    """Bring an appliance's content into an image's datastore."""
    app = cloud.store.get("marketapp", image.hidden["app"])
    content = file_of(cloud, app) if app is not None else None
    if content is None:
        return None
    place = image_folder(cloud, image) / CONTENT
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(content, place)
    return place


def md5_of(path: Path) -> str:
    """As marketplaces tell it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def app_of(call: Call, template: Body) -> Record | None:
    """The appliance of a marketplace that an image is to be made of; what it says of it goes into the template."""
    if "FROM_APP" not in template:
        return None
    app = call.store.get("marketapp", whole(first(template, "FROM_APP")))
    if app is None:
        raise Refused(Code.INTERNAL, "Cannot determine image SIZE.")
    if call.store.get("market", app.body["MARKETPLACE_ID"]) is None:
        raise Refused(Code.INTERNAL, "Could not get the appliance's market.")
    told = {"FROM_APP_NAME": app.name, "FROM_APP_MD5": app.body["MD5"], "PATH": app.body["SOURCE"]}
    template.update({key: [value] for key, value in told.items()})
    template.pop("FORMAT", None)
    return app
