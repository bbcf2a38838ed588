"""The console of an appliance's VM: what it has shown where that is kept, and else where a person can look at it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.node import vectors
from provision.vm_state import host_of, state_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from provision.planning.found import Found

#: ECMA-48: control sequences, and the other control characters but tab and line feed. A guest writes its console.
_CONTROLS = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Console:
    """Where the console of a VM is.

    Attributes
    ----------
    host
        The host that runs the VM.
    domain
        What libvirt calls it there.
    vnc_port
        Where qemu's VNC listens on that host, on loopback; empty where it does not.
    log
        The file in which the embedded cloud keeps it; None on any other cloud.
    """

    vm_id: int
    state: str
    host: str
    domain: str
    vnc_port: str
    log: Path | None

    def ways(self) -> Iterator[str]:
        """Commands with which an admin of the hosts opens it; OpenNebula's own API hands no console over."""
        if self.host and self.domain:
            yield f"virsh -c qemu+ssh://oneadmin@{self.host}/system console {self.domain}"
        if self.host and self.vnc_port:
            yield f"ssh -N -L {self.vnc_port}:127.0.0.1:{self.vnc_port} oneadmin@{self.host}"
            yield f"vncviewer 127.0.0.1::{self.vnc_port}"
        yield f"onevm vnc {self.vm_id}"

    def lines(self, most: int) -> list[str]:
        """The newest lines that are kept, without what would steer a terminal."""
        if self.log is None or not self.log.is_file():
            return []
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return [_CONTROLS.sub("", line) for line in text.replace("\r", "").split("\n")][-most - 1 :]


def console_of(now: Found, branch: str, endpoint: str, auth_file: Path) -> Console:
    """
    Where the console of a branch's VM is.

    Raises
    ------
    ProvisionError
        The branch has no VM.
    """
    vm = now.view.appliances.get(branch)
    if vm is None:
        raise ProvisionError(f"{branch} has no VM: `gurney apply` makes it")
    graphics = next(iter(vectors(vm.attributes(), "GRAPHICS")), {})
    return Console(
        vm_id=vm.id,
        state=state_name(vm),
        host=host_of(vm),
        domain=vm.text("DEPLOY_ID"),
        vnc_port=graphics.get("PORT", "") if graphics.get("TYPE", "").upper() == "VNC" else "",
        log=embedded_log(endpoint, auth_file, vm.id),
    )


def embedded_log(endpoint: str, auth_file: Path, vm_id: int) -> Path | None:
    """The console's file, where the cloud is an embedded one whose login is used."""
    folder = auth_file.absolute().parent
    try:
        told = json.loads((folder / "endpoint.json").read_text())
        ours = told["endpoint"] == endpoint and Path(told["auth_file"]).samefile(auth_file)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return folder / "vms" / str(vm_id) / "console.log" if ours else None
