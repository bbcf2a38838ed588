"""What "OpenNebula Public" offers: the image files of a folder, as if its server had been asked.

References: OpenNebula src/market_mad/remotes/one/monitor.
"""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING

from emulator.objects.front_end_files import MIB, file_format, virtual_size
from emulator.objects.market_app import READY, delete_app, new_app
from emulator.objects.market_file import md5_of
from emulator.objects.ownership import permissions

if TYPE_CHECKING:
    from pathlib import Path

    from emulator.cloud import Cloud
    from emulator.record import Body

PUBLIC = 0
SUFFIXES = {".qcow2", ".raw", ".img"}
SERVER = "https://marketplace.opennebula.io//appliance"
FOR_ALL = "110100100"
IMAGE_TEMPLATE = 'DEV_PREFIX="vd"\nTYPE="OS"\n'
VM_TEMPLATE = 'CONTEXT=[NETWORK="YES",SSH_PUBLIC_KEY="$USER[SSH_PUBLIC_KEY]"]\nCPU="1"\nGRAPHICS=[LISTEN="0.0.0.0",TYPE="vnc"]\nMEMORY="768"\n'  # noqa: E501  (one text)


def offer(cloud: Cloud, folder: Path) -> None:
    """Offer what lies in a folder, and no more what does not; must run in a transaction."""
    market = cloud.store.get("market", PUBLIC)
    if market is None:
        return
    files = {str(path.resolve()): path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES}
    for app in cloud.store.all("marketapp"):
        if "file" in app.hidden and app.hidden["file"] not in files:
            delete_app(cloud, app)
    known = {app.hidden.get("file") for app in cloud.store.all("marketapp")}
    for place, path in files.items():
        if place not in known:
            _add(cloud, path, place)


def _add(cloud: Cloud, path: Path, place: str) -> None:
    market = cloud.store.get("market", PUBLIC)
    assert market is not None
    app = new_app(cloud.as_administrator("market"), market, path.stem, _template(path))
    size = max(1, -(-virtual_size(path) // MIB))
    source = f"{SERVER}/{uuid.uuid4()}/download/0"
    app.body.update({"STATE": READY, "SOURCE": source, "MD5": md5_of(path), "SIZE": size})
    app.body.update({"FORMAT": file_format(path), "PERMISSIONS": permissions(FOR_ALL)})
    app.hidden["file"] = place


def _template(path: Path) -> Body:
    return {
        "TYPE": ["IMAGE"],
        "DESCRIPTION": [f"The file {path.name} of this machine."],
        "VERSION": ["1.0"],
        "APPTEMPLATE64": [base64.b64encode(IMAGE_TEMPLATE.encode()).decode()],
        "VMTEMPLATE64": [base64.b64encode(VM_TEMPLATE.encode()).decode()],
    }
