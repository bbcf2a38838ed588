"""Two hosts that share their datastores, and what stands in for OpenNebula's hook."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office

#: What stands in for OpenNebula's script, which is Ruby: it lets the host's VMs be placed anew.
STAND_IN = """#!{python}
import base64, os, sys, xmlrpc.client
from xml.etree import ElementTree as ET
host, mode, pause, rounds = sys.stdin.read().split()
assert (mode, pause, rounds) == ("-m", "-p", "5")
told = ET.fromstring(base64.b64decode(host))
number = told.findtext("ID" if told.tag == "HOST" else ".//HOST/ID")
one = xmlrpc.client.ServerProxy(os.environ["ONE_XMLRPC"])
session = open(os.environ["ONE_AUTH"]).read().strip()
pool = ET.fromstring(one.one.vmpool.infoextended(session, -2, -1, -1, -1)[1])
for vm in pool.iter("VM"):
    if [each.findtext("HID") for each in vm.iter("HISTORY")][-1:] == [number]:
        assert one.one.vm.action(session, "resched", int(vm.findtext("ID")))[0]
"""


def two_hosts(new_office: Callable[..., Office], **settings: object) -> Office:
    office = new_office(hosts=("one", "two"), **settings)
    share(office)
    return office


def share(office: Office) -> None:
    """Datastores that all hosts see."""
    office.raw("datastore.allocate", 'NAME="shared"\nTM_MAD="shared"\nTYPE="SYSTEM_DS"', 0)
    office.raw("datastore.allocate", 'NAME="images"\nDS_MAD="fs"\nTM_MAD="shared"\nTYPE="IMAGE_DS"', 0)
