"""A call for a VM group, a backup job, a hook, an own datastore or a reservation that fails is told and made good."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from emulator.faults import Faults
from provision.declaring.reading import parse
from provision.errors import ProvisionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provision.conftest import Office

#: What this makes beside what every community has.
MORE = """
on_host_failure: restart
apart: [[erode, salem]]
backup: {datastore: backups}
"""

METHODS = (
    "vmgroup.allocate", "vm.chown", "backupjob.allocate", "hook.allocate", "datastore.allocate", "vn.reserve",
    "vn.update", "group.quota",
)  # fmt: skip
FAULTS = [f"{method}:{what}@1" for method in METHODS for what in ("lost", "noop", "drop")]


def everything(example_text: str) -> str:
    text = example_text[: example_text.index("  karur:")].replace(
        "driver: virtiofs", "driver: nfs\n  server: 10.20.0.9"
    )
    text = text.replace("vlan: 101,", "reserve_from: hospitals,").replace(
        "appliance: 10.20.1.10}", "appliance: 10.20.1.10, addresses: [10.20.1.40-10.20.1.60]}"
    )
    return text.replace("{images: default, system: system}", "{make: {storage: shared}}") + MORE


@pytest.mark.parametrize("fault", FAULTS)
def test_a_call_that_fails_is_made_good(new_office: Callable[..., Office], example_text: str, fault: str) -> None:
    text = everything(example_text)
    office = replace(new_office(hosts=("one", "two")), community=parse(text))
    office.raw("datastore.allocate", 'NAME="backups"\nDS_MAD="dummy"\nTM_MAD="dummy"\nTYPE="BACKUP_DS"', 0)
    own = 'NAME="hospitals"\nVN_MAD="bridge"\nBRIDGE="br7"\nAR=[TYPE="IP4",IP="10.20.1.2",SIZE="200"]'
    office.raw("vn.allocate", own, 0)
    before = names(office)
    office.embedded.faults = Faults((fault,))
    with suppress(ProvisionError):
        office.apply()
    office.embedded.faults = Faults(())
    assert office.plan().obstacles == ()
    assert not office.apply().after
    assert len(names(office)) == len(set(names(office))), "nothing stands twice"
    assert set(before) <= set(names(office))


def names(office: Office) -> list[str]:
    pools = ("vmgroup", "backupjob", "hook", "datastore", "vn", "image", "vm", "template", "group", "vdc", "secgroup")
    return [f"{pool} {node.name}" for pool in pools for node in office.found().pools.nodes[pool]]
