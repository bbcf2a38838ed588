"""The bill of materials of an image: every package and wheel in it, as CycloneDX."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from provision.image.disk import NAMESPACE
from provision.image.program import own_version

if TYPE_CHECKING:
    from provision.image.digest import Tree
    from provision.image.loader import Loaders
    from provision.image.packages import Package, Packages
    from provision.image.release import Release
    from provision.image.wheels import Wheel, Wheels

#: Packages whose modules are in the boot loaders: in Debian 13 those for UEFI lie in `grub-efi-amd64-unsigned`.
BOOTED = ("grub-efi-amd64", "grub-pc")


def bill_of_materials(tree: Tree, loaders: Loaders, release: Release, packages: Packages, wheels: Wheels) -> str:
    """
    The bill as JSON; the same inputs give the same text.

    Of what lies outside the file tree it names the boot loaders and their packages; packages that only made them are
    in it as `excluded`.

    References
    ----------
    CycloneDX 1.6 (ECMA-424), JSON; `scope` of a component.
    """
    version = own_version()
    debian = [_debian(package, release) for package in packages.items]
    loader = [_debian(package, release) | _scope(package) for package in packages.loader]
    made = [_file(name, digest) for name, digest in loaders.digests.items()]
    python = [_python(wheel) for wheel in wheels.items]
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, tree.digest)}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(packages.date, UTC).isoformat(),
            "component": {
                "type": "operating-system",
                "bom-ref": "gurney-appliance",
                "name": "gurney-appliance",
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": tree.digest}],
            },
        },
        "components": [_component("gurney", version, f"pkg:pypi/gurney@{version}"), *debian, *loader, *made, *python],
    }
    return json.dumps(content, indent=1) + "\n"


def _debian(package: Package, release: Release) -> dict[str, Any]:
    url = f"pkg:deb/debian/{package.name}@{quote(package.version, safe='')}"
    where = f"{url}?arch={package.architecture}&distro={release.suite}"
    return _component(package.name, package.version, where, package.sha256)


def _scope(package: Package) -> dict[str, str]:
    return {} if package.name.startswith(BOOTED) else {"scope": "excluded"}


def _file(name: str, sha256: str) -> dict[str, Any]:
    hashes = [{"alg": "SHA-256", "content": sha256}]
    return {"type": "file", "bom-ref": f"loader/{name}", "name": name, "hashes": hashes}


def _python(wheel: Wheel) -> dict[str, Any]:
    return _component(wheel.name, wheel.version, f"pkg:pypi/{wheel.name}@{wheel.version}", wheel.sha256)


def _component(name: str, version: str, url: str, sha256: str = "") -> dict[str, Any]:
    hashes = {"hashes": [{"alg": "SHA-256", "content": sha256}]} if sha256 else {}
    return {"type": "library", "bom-ref": url, "name": name, "version": version, "purl": url, **hashes}
