"""OneGate: how a virtual machine reads about itself, and reports.

References: OpenNebula src/onegate/onegate-server.rb.
"""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from emulator.errors import Refused
from emulator.template import merged, parse, restricted
from emulator.web import Dropped, Request, Response

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.record import Body, Record

MAX_BODY = 64 * 1024
# What a guest may not write of itself, as a stock onegate-server.conf has it.
FORBIDDEN = ("SCHED_REQUIREMENTS", "SERVICE_ID", "ROLE_NAME")
# What a guest is told of each of its network interfaces.
NIC_KEYS = (
    "IP", "IP6", "IP6_LINK", "IP6_ULA", "IP6_GLOBAL", "NETWORK", "MAC", "NAME", "PARENT", "EXTERNAL",
    "MASK", "GATEWAY", "DNS",
)  # fmt: skip
DONE = 6


class OneGate:
    """Answers the guests of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(self, request: Request) -> Response:
        """Answer an HTTP request."""
        if self._cloud.power.front_end_is_lost():
            raise Dropped
        path, _, query = request.target.partition("?")
        with self._cloud.store.transaction():
            vm = self._guest(request)
            if vm is None:
                return Response(401, b"Not authorized")
            if path == "/" and request.method == "GET":
                return _json({"version": "7.4.0"})
            if path != "/vm":
                return Response(404, b"Not found")
            if request.method == "GET":
                return _json(_shown(vm))
            if request.method == "PUT":
                return self._put(vm, request, parse_qs(query))
        return Response(405, b"Method not allowed")

    def _guest(self, request: Request) -> Record | None:
        number = request.headers.get("x-onegate-vmid", "")
        token = request.headers.get("x-onegate-token", "")
        vm = self._cloud.store.get("vm", int(number)) if number.isdigit() and len(number) < 10 else None
        if vm is None or vm.state == DONE or not vm.hidden.get("token"):
            return None
        return vm if hmac.compare_digest(vm.hidden["token"].encode(), token.encode()) else None

    def _put(self, vm: Record, request: Request, query: dict[str, list[str]]) -> Response:
        if vm.body.get("LOCK"):
            return Response(403, b"VM is locked")
        if len(request.body) > MAX_BODY:
            return Response(413, b"Too large")
        try:
            asked = parse(request.body.decode())
        except (Refused, UnicodeDecodeError):
            return Response(400, b"Cannot parse the body")
        if restricted(asked, FORBIDDEN):
            return Response(403, b"Cannot change a restricted attribute")
        template = self._cloud.store.edit(vm).body["USER_TEMPLATE"]
        vm.body["USER_TEMPLATE"] = _changed(template, asked, query)
        return Response(200)


def _changed(template: Body, asked: Body, query: dict[str, list[str]]) -> Body:
    if query.get("type") != ["2"]:
        return merged(template, asked)
    doomed = {str(value) for value in asked.get("DELETE_ATTR", [])} | {name for name in asked if name != "DELETE_ATTR"}
    return {name: value for name, value in template.items() if name not in doomed}


def _shown(vm: Record) -> Body:
    template = vm.template
    nics = [{key: nic[key] for key in NIC_KEYS if key in nic} for nic in template.get("NIC", [])]
    return {
        "VM": {
            "NAME": vm.name,
            "ID": str(vm.oid),
            "STATE": str(vm.state),
            "LCM_STATE": str(vm.body["LCM_STATE"]),
            "USER_TEMPLATE": _plain(vm.body["USER_TEMPLATE"]),
            "TEMPLATE": {"NIC": nics, "NIC_ALIAS": []},
        }
    }


def _plain(template: Body) -> dict[str, Any]:
    return {name: values[0] if len(values) == 1 else values for name, values in template.items()}


def _json(value: Body) -> Response:
    return Response(200, json.dumps(value).encode(), "application/json")
