"""The objects that a new cloud has from the start, with the ids that OpenNebula gives them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from emulator.acl import ALL, CREATE, GROUP, USE, Rule, resource
from emulator.call import Call, Caller
from emulator.objects.acl_rule import add_rule
from emulator.objects.cluster import new_cluster
from emulator.objects.datastore import monitored, new_datastore
from emulator.objects.group import new_group
from emulator.objects.host import begin_monitoring, new_host
from emulator.objects.market import new_market
from emulator.objects.security_group import new_security_group
from emulator.objects.user import new_user
from emulator.objects.vdc import EVERY, add_group, new_vdc
from emulator.objects.zone import new_zone

if TYPE_CHECKING:
    from emulator.cloud import Cloud

ADMINISTRATOR = Caller(0, 0, frozenset({0}), "oneadmin", "oneadmin")
USERS_GROUP = 1
VIEWS = {
    "DEFAULT_VIEW": "cloud",
    "GROUP_ADMIN_DEFAULT_VIEW": "groupadmin",
    "GROUP_ADMIN_VIEWS": "groupadmin,cloud",
    "VIEWS": "cloud",
}
VDC_DESCRIPTION = (
    "Every new group is added to this VDC. Use it to store default access rules for your groups. NOTE: You may need "
    "to remove a group from the default VDC before assigning it to other VDC."
)
TENANT_KINDS = "vm image template document secgroup vmgroup backupjob"


def fill(cloud: Cloud, password: str) -> None:
    """Make the objects of a new cloud; must run in a transaction."""
    call = Call(cloud, ADMINISTRATOR, "bootstrap")
    _people(cloud, password)
    cluster = new_cluster(cloud.store, "default", 0)
    _rules(cloud)
    location = f"http://localhost:{cloud.port}/RPC2"
    zone: dict[str, list[str]] = {"ENDPOINT": [location], "ENDPOINT_GRPC": ["localhost:2634"]}
    new_zone(cloud.store, "OpenNebula", dict(zone), 0)
    for oid, (name, template) in enumerate(
        (
            ("system", {"TYPE": ["SYSTEM_DS"], "TM_MAD": ["local"]}),
            ("default", {"TYPE": ["IMAGE_DS"], "TM_MAD": ["local"], "DS_MAD": ["fs"]}),
            ("files", {"TYPE": ["FILE_DS"], "TM_MAD": ["local"], "DS_MAD": ["fs"]}),
        )
    ):
        new_datastore(call, name, dict(template), cluster, oid)
        if cloud.settings.measured:
            monitored(cloud, oid, {})
    new_security_group(call, "default", _open_to_all(), 0)
    _markets(call)
    for name in cloud.settings.hosts:
        begin_monitoring(cloud, new_host(cloud.store, name, "kvm", "kvm", cluster))


def _people(cloud: Cloud, password: str) -> None:
    store = cloud.store
    new_group(store, "oneadmin", 0)
    new_group(store, "users", USERS_GROUP).template["SUNSTONE"] = [VIEWS]
    new_user(store, "oneadmin", password, "core", [0])
    new_user(store, "serveradmin", secrets.token_hex(16), "server_cipher", [0])
    store.add("defaults", 0, {}, {"user": {}, "group": {}})


def _rules(cloud: Cloud) -> None:
    store = cloud.store
    add_rule(store, Rule(GROUP | USERS_GROUP, resource(TENANT_KINDS, ALL), CREATE, ALL))
    add_rule(store, Rule(ALL, resource("zone", ALL), USE, ALL))
    add_rule(store, Rule(ALL, resource("market marketapp", ALL), USE, ALL))
    vdc = new_vdc(store, "default", {"DESCRIPTION": [VDC_DESCRIPTION]}, 0)
    vdc.body["CLUSTERS"] = {"CLUSTER": [{"ZONE_ID": 0, "CLUSTER_ID": EVERY}]}
    add_group(store, vdc, USERS_GROUP)


def _open_to_all() -> dict[str, list[object]]:
    description = "The default security group is added to every network. Use it to add default filter rules for your networks. You may remove this security group from any network by updating its properties."  # noqa: E501  (one text)
    rules: list[object] = [
        {"PROTOCOL": "ALL", "RULE_TYPE": "OUTBOUND"},
        {"PROTOCOL": "ALL", "RULE_TYPE": "INBOUND"},
    ]
    return {"DESCRIPTION": [description], "RULE": rules}


def _markets(call: Call) -> None:
    new_market(call, "OpenNebula Public", {"MARKET_MAD": ["one"], "DESCRIPTION": ["OpenNebula Systems MarketPlace"]}, 0)
    containers = "MarketPlace for the public image server fo LXC & LXD hosted at linuxcontainers.org"
    market = new_market(call, "Linux Containers", {"MARKET_MAD": ["linuxcontainers"], "DESCRIPTION": [containers]}, 1)
    market.body["STATE"] = 1
