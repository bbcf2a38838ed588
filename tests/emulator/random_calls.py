"""Calls drawn by lot, with parameters that make sense, that hardly do, and that do not."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from emulator.dispatch import Dispatcher
from emulator.errors import Fault
from emulator.methods import METHODS
from tests.emulator.renumbering import kinds_of

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from emulator.registry import Method, Parameter

TEXTS = (
    "", "a", "-1", 'NAME="x"', 'NAME="n%d"', 'NAME="m%d"\nCPU="1"\nMEMORY="64"\nNIC=[NETWORK_ID="0"]',
    'NAME="m%d"\nCPU="0.5"\nMEMORY="64"\nDISK=[IMAGE_ID="0"]\nDISK=[SIZE="1",TYPE="fs"]', 'NIC=[NETWORK_ID="0"]',
    'CPU="1"\nMEMORY="64"\nNIC=[NETWORK_MODE="auto"]\nCONTEXT=[NETWORK="YES"]', 'NIC=[A="1"]', "NIC=[]",
    'DISK=[SIZE="1",TYPE="fs"]', 'DISK=[IMAGE_ID="0"]', 'DISK=[IMAGE_ID="1"]', 'DISK=[A="b"]', "<A/>",
    "<VM><NIC><X>1</X></NIC></VM>", 'SCHED_ACTION=[TIME="1",ACTION="x"]', 'VM=[VMS="2"]', 'VM=[RUNNING_VMS="1"]',
    'VM=[CLUSTER_IDS="0",VMS="2"]', 'VM=[CLUSTER_IDS="0,100",MEMORY="100"]',
    'SCHED_ACTION=[ACTION="poweroff",TIME="+5",REPEAT="9",DAYS="z"]', 'VM=[VMS="x"]', 'NETWORK=[ID="0",LEASES="2"]',
    'AR=[TYPE="IP4",IP="1.2.3.4",SIZE="3"]', 'AR=[AR_ID="0",SIZE="90"]', 'AR=[AR_ID="x"]', 'LEASES=[IP="10.0.0.7"]',
    'LEASES=[IP="zz"]', 'SIZE="-3"', 'SIZE="1"\nNETWORK_ID="0"\nNAME="r%d"', 'ROLE=[NAME="a"]', "ROLE=[]", "PCI=[]",
    'CPU="0"', 'CPU="1e309"\nMEMORY="1"', 'MEMORY="99999999999999999999"\nCPU="nan"', 'CPU="2"\nMEMORY="128"',
    'TYPE="DATABLOCK"\nSIZE="1"\nNAME="i%d"', 'TYPE="DATABLOCK"\nSIZE="2"\nNAME="p%d"\nPERSISTENT="YES"',
    'NAME="h%d"\nTYPE="state"\nRESOURCE="VM"\nON="RUNNING"\nCOMMAND="x"\nARGUMENTS="$TEMPLATE"',
    'NAME="h%d"\nTYPE="api"\nCALL="one.vm.action"\nCOMMAND="x"\nARGUMENTS="$API"', 'BACKUP_VMS="0,x"\nNAME="b%d"',
    'BACKUP_VMS="0"\nDATASTORE_ID="0"\nNAME="b%d"', 'RULE=[PROTOCOL="TCP"]',
    'RULE=[PROTOCOL="ALL",RULE_TYPE="INBOUND",NETWORK_ID="0"]\nNAME="s%d"', 'CONTEXT=[TOKEN="YES",NETWORK="YES"]',
    'OS="x"\nGRAPHICS="y"', 'TEMPLATE_ID="0"\nNAME="v%d"', 'MARKET_MAD="http"\nBASE_URL="u"\nPUBLIC_DIR="p"',
    'VN_MAD="bridge"\nNAME="w%d"\nAR=[TYPE="IP4",IP="10.%d.0.1",SIZE="9"]', 'ORIGIN_ID="0"\nNAME="a%d"',
    'IMAGE_ID="zz"', "terminate", "terminate-hard", "poweroff", "resume", "hold", "release", "stop", "undeploy",
    "suspend", "resched", "0x1", "100000000", "ff", "é€", "&<>\"'", "]]>",
)  # fmt: skip
NUMBERS = (-1, 0, 0, 0, 1, 2, 3, 100, 101, 7, -2, -3, -4, -5, 2**31 - 1, -(2**31), 99)
OFTEN = ("one.vm.", "one.vn.", "one.image.", "one.vrouter", "one.host.status")
# The administrator would be locked out, or the zone; addresses would be taken from machines, which is allowed.
NEVER = {"one.user.delete", "one.zone.enable", "one.user.passwd", "one.user.chauth", "one.user.enable"}
NEVER |= {"one.vn.rm_ar", "one.vn.recover"}
FIRST = (
    ("one.vn.allocate", 'NAME="n"\nVN_MAD="bridge"\nAR=[TYPE="IP4",IP="10.0.0.1",SIZE="20"]', 0),
    ("one.image.allocate", 'NAME="d"\nTYPE="DATABLOCK"\nSIZE="1"', 1),
    ("one.image.allocate", 'NAME="p"\nTYPE="DATABLOCK"\nSIZE="1"\nPERSISTENT="YES"', 1),
    ("one.group.allocate", "branch"),
    ("one.user.allocate", "ida", "a long password", "core", [100]),
    ("one.template.allocate", 'NAME="t"\nCPU="1"\nMEMORY="64"\nVROUTER="YES"\nNIC=[NETWORK_ID="0"]'),
    ("one.vmgroup.allocate", 'NAME="g"\nROLE=[NAME="r"]'),
    ("one.vrouter.allocate", 'NAME="r"\nNIC=[NETWORK_ID="0",FLOATING_IP="YES"]'),
    ("one.vm.allocate", 'NAME="m"\nCPU="1"\nMEMORY="64"\nNIC=[NETWORK_ID="0"]', False),
    ("one.vm.allocate", 'NAME="m"\nCPU="1"\nMEMORY="64"\nDISK=[IMAGE_ID="1"]', False),
)


class RandomCalls:
    """Makes calls on a cloud whose clock is wound.

    Parameters
    ----------
    seed
        The same calls are made for the same seed.
    """

    def __init__(self, cloud: Cloud, seed: int) -> None:
        self._cloud, self._lot = cloud, random.Random(seed)
        self._answers = Dispatcher(cloud)
        self._names = [name for name in METHODS if name.startswith("one.") and name not in NEVER]
        self._weights = [4 if name.startswith(OFTEN) else 1 for name in self._names]
        self._wind(10)
        for name, *values in FIRST:
            assert self.call(name, values)[0] is True, name
            self._wind(10)

    def step(self) -> list[Any]:
        """Make a call, and sometimes let time go on; the reply, [] for a fault of XML-RPC."""
        name = self._lot.choices(self._names, self._weights)[0]
        reply = self.call(name, self._values(METHODS[name]))
        if self._lot.random() < 0.3:
            self._wind(self._lot.choice((0.05, 1, 30)))
        return reply

    def call(self, name: str, values: list[Any]) -> list[Any]:
        try:
            return list(self._answers.answer(name, [self._cloud.session, *values]))
        except Fault:
            return []

    def _wind(self, seconds: float) -> None:
        until = self._cloud.clock.now() + seconds
        while self._cloud.advance(until - self._cloud.clock.now()):
            pass

    def _values(self, method: Method) -> list[Any]:
        kinds = kinds_of(method.name.removeprefix("one."))
        return [self._value(one, kinds.get(place, "")) for place, one in enumerate(method.parameters)]

    def _value(self, parameter: Parameter, kind: str) -> Any:
        if parameter.word == "array":
            return [self._lot.choice(NUMBERS) for _ in range(self._lot.randint(0, 3))]
        if parameter.word == "boolean":
            return self._lot.random() < 0.5
        if parameter.word == "string":
            return self._lot.choice(TEXTS).replace("%d", str(self._lot.randint(0, 30)))
        if kind and self._lot.random() < 0.85:
            return self._existing(kind)
        return self._lot.choice(NUMBERS)

    def _existing(self, kind: str) -> int:
        records = [one for one in self._cloud.store.all(kind) if kind != "user" or one.oid]
        alive = [one.oid for one in records if kind != "vm" or one.state != 6 or self._lot.random() < 0.1]
        return self._lot.choice(alive or [0])
