"""The recorded sessions with other ids: what is told to a cloud whose ids are higher, and what it then answers.

Each kind's new objects have ids of a range of its own, so that an id in an answer is known for what it is.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from emulator.acl import CLUSTER, GROUP, INDIVIDUAL
from emulator.kinds import KINDS
from emulator.objects.vm_flow import BASE_PORT, PORTS

if TYPE_CHECKING:
    from emulator.cloud import Cloud
    from tests.emulator.recording import Call

FLOOR, RANGE = 700_000_000, 1_000_000
OURS = re.compile(r"(?<![0-9a-f.])7\d{8}(?![0-9a-f])")  # and no piece of a name drawn by lot, 32 hexadecimal digits
ENCODED = re.compile(r"\bPEN[A-Za-z0-9+/=]{100,}")
HEXADECIMAL = re.compile(r"(<(?:USER|RESOURCE)>(?:<!\[CDATA\[)?)([0-9a-f]+)\b")
PORT = re.compile(r"(<PORT><!\[CDATA\[)(\d+)")
PACKED = re.compile(r"(?<= )\d{12,}\b")  # in ALLOCATED of a network: what has a lease, and its kind
SCALE = {kind: FLOOR + number * RANGE for number, kind in enumerate(KINDS)}
LOW = 0xFFFF_FFFF

# Which parameters after the session are ids, where it is not the first one being the noun's own.
NOUNS = {name: {0: name} for name in KINDS}
PARAMETERS: dict[str, dict[int, str]] = {
    "user.allocate": {3: "group"},
    "user.addgroup": {0: "user", 1: "group"},
    "user.delgroup": {0: "user", 1: "group"},
    "user.chgrp": {0: "user", 1: "group"},
    "user.login": {3: "group"},
    "group.addadmin": {0: "group", 1: "user"},
    "group.deladmin": {0: "group", 1: "user"},
    "host.allocate": {3: "cluster"},
    "datastore.allocate": {1: "cluster"},
    "vn.allocate": {1: "cluster"},
    "image.allocate": {1: "datastore"},
    "image.clone": {0: "image", 2: "datastore"},
    "image.restore": {0: "image", 1: "datastore"},
    "marketapp.allocate": {1: "market"},
    "document.allocate": {},
    "vm.attachsg": {0: "vm", 2: "secgroup"},
    "vm.detachsg": {0: "vm", 2: "secgroup"},
    "vm.backup": {0: "vm", 1: "datastore"},
    "vm.restore": {0: "vm", 1: "image"},
    "vm.deploy": {0: "vm", 1: "host", 3: "datastore"},
    "vm.migrate": {0: "vm", 1: "host", 4: "datastore"},
    "vm.action": {1: "vm"},
    "vm.vmgroupadd": {0: "vm", 1: "vmgroup"},
    "vrouter.instantiate": {0: "vrouter", 2: "template"},
    "acl.delrule": {0: "acl"},
    **{f"{pool}quota.info": {} for pool in ("user", "group")},
    **{f"vdc.{verb}group": {0: "vdc", 1: "group"} for verb in ("add", "del")},
    **{
        f"vdc.{verb}{noun}": {0: "vdc", 1: "zone", 2: kind}
        for verb in ("add", "del")
        for noun, kind in (("cluster", "cluster"), ("host", "host"), ("datastore", "datastore"), ("vnet", "vn"))
    },
    **{
        f"cluster.{verb}{noun}": {0: "cluster", 1: kind}
        for verb in ("add", "del")
        for noun, kind in (("host", "host"), ("datastore", "datastore"), ("vnet", "vn"))
    },
    **{f"{kind}.chown": {0: kind, 1: "user", 2: "group"} for kind in KINDS},
    **{f"{kind}.allocate": {} for kind in ("vm", "vrouter", "template", "vntemplate", "group", "cluster", "vdc")},
    **{f"{kind}.allocate": {} for kind in ("secgroup", "market", "vmgroup", "hook", "backupjob", "zone")},
    **{f"{kind.pool_name}.info": {0: "user", 1: kind.name, 2: kind.name} for kind in KINDS.values()},
    "vmpool.infoextended": {0: "user", 1: "vm", 2: "vm"},
}
# Which attributes of a template are ids.
ATTRIBUTES = {
    "IMAGE_ID": "image",
    "ORIGIN_ID": "image",
    "NETWORK_ID": "vn",
    "DATASTORE_ID": "datastore",
    "TEMPLATE_ID": "template",
    "CLUSTER_IDS": "cluster",
    "SECURITY_GROUPS": "secgroup",
    "VMGROUP_ID": "vmgroup",
    "BACKUP_VMS": "vm",
}
ATTRIBUTE = re.compile(rf'\b({"|".join(ATTRIBUTES)})(\s*=\s*"?|>)([\d,]+)')
QUOTA_OF = {"DATASTORE": "datastore", "NETWORK": "vn", "IMAGE": "image"}
QUOTA = re.compile(rf'\b({"|".join(QUOTA_OF)})(\s*=\s*\[[^\]]*?\bID\s*=\s*")(\d+)')
# Which kind a call makes, where it is not the noun's own.
MAKES = {"template.instantiate": "vm", "vntemplate.instantiate": "vn", "vm.disksaveas": "image"}
MAKING = {"allocate", "clone", "instantiate", "reserve", "disksaveas"}
RULE_FLAGS = {INDIVIDUAL: "", GROUP: "group", CLUSTER: "cluster"}


def kinds_of(method: str) -> dict[int, str]:
    """Which parameters of a method are ids, and of what."""
    return PARAMETERS.get(method, NOUNS.get(method.partition(".")[0], {}))


def made_by(call: Call) -> str:
    """The kind of object that a call makes; "" where it makes none."""
    method = call.method.removeprefix("one.")
    noun, _, verb = method.partition(".")
    makes = verb in MAKING and method != "vrouter.instantiate"
    made = makes and isinstance(call.reply, list) and call.reply[0] is True and isinstance(call.reply[1], int)
    return MAKES.get(method, noun) if made else ""


@dataclass
class Renumbering:
    """Ids as they were recorded, and as they are here."""

    first: dict[str, int]
    ours: dict[tuple[str, int], int] = field(default_factory=dict)
    recorded: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, cloud: Cloud) -> Renumbering:
        """Let the next object of each kind have a much higher id."""
        first = {}
        with cloud.store.transaction():
            for kind in KINDS:
                last = cloud.store.next_id(kind, KINDS[kind].first_id) - 1
                first[kind] = last + 1
                cloud.store.set_counter(kind, SCALE[kind] + last)
        return cls(first)

    # what is told

    def told(self, call: Call) -> Call:
        """The call with our ids."""
        kinds = kinds_of(call.method.removeprefix("one."))
        params = [self._parameter(kinds.get(place, ""), one) for place, one in enumerate(call.params)]
        if call.method == "one.acl.addrule":
            params[:2] = map(self._rule, call.params[:2])
        if call.method == "one.vmpool.infoset":
            params[0] = self._list("vm", call.params[0])
        if call.method.endswith("pool.info") and len(params) > 2 and call.params[2] < -1:
            params[1:3] = call.params[1:3]  # a page, and no ids
        return replace(call, params=params)

    def _parameter(self, kind: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._parameter(kind, one) for one in value]
        if isinstance(value, str):
            return self._text(value)
        if kind and isinstance(value, int) and not isinstance(value, bool):
            return self._id(kind, value)
        return value

    def _id(self, kind: str, number: int) -> int:
        return self.ours.get((kind, number), number if number < self.first[kind] else SCALE[kind] + number)

    def _text(self, text: str) -> str:
        text = ATTRIBUTE.sub(lambda one: one[1] + one[2] + self._list(ATTRIBUTES[one[1]], one[3]), text)
        return QUOTA.sub(lambda one: one[1] + one[2] + str(self._id(QUOTA_OF[one[1]], int(one[3]))), text)

    def _list(self, kind: str, numbers: str) -> str:
        return ",".join(str(self._id(kind, int(number))) if number else "" for number in numbers.split(","))

    def _rule(self, text: str) -> str:
        if not re.fullmatch("[0-9a-f]+", text):
            return text
        value = int(text, 16)
        flag = next((one for one in RULE_FLAGS if value & one), 0)
        kind = RULE_FLAGS.get(flag, "") or next((one.name for one in KINDS.values() if value & one.bit), "user")
        return f"{(value & ~LOW) | self._id(kind, value & LOW):x}" if flag else text

    # what is heard

    def learn(self, call: Call, reply: Any) -> None:
        """Note which id an object has that was made here as it was there."""
        kind = made_by(call)
        if kind and isinstance(reply, list) and reply[0] is True:
            self.ours[kind, call.reply[1]] = reply[1]
            self.recorded[reply[1]] = call.reply[1]

    def heard(self, call: Call, reply: Any) -> Any:
        """The reply with the recorded ids."""
        self.learn(call, reply)
        if not isinstance(reply, list):
            return reply
        return self._value(reply)

    def _value(self, value: Any) -> Any:
        if isinstance(value, bool):
            return value
        if isinstance(value, list):
            return [self._value(one) for one in value]
        if isinstance(value, int):
            return self._back(value)
        text = ENCODED.sub(self._encoded, str(value))
        text = OURS.sub(lambda one: str(self._back(int(one[0]))), text)
        text = PORT.sub(lambda one: f"{one[1]}{self._port(int(one[2]))}", text)
        text = PACKED.sub(lambda one: str(self._unpacked(int(one[0]))), text)
        return HEXADECIMAL.sub(lambda one: f"{one[1]}{self._unpacked(int(one[2], 16)):x}", text)

    def _encoded(self, found: re.Match[str]) -> str:
        """A document that a hook's command was given."""
        return base64.b64encode(self._value(base64.b64decode(found[0]).decode()).encode()).decode()

    def _back(self, number: int) -> int:
        if number in self.recorded:
            return self.recorded[number]
        return number if number < FLOOR else (number - FLOOR) % RANGE

    def _port(self, port: int) -> int:
        """The port of a machine's console, which is its id's."""
        machines = ((ours, number) for (kind, number), ours in self.ours.items() if kind == "vm")
        return next((BASE_PORT + number for ours, number in machines if port == BASE_PORT + ours % PORTS), port)

    def _unpacked(self, value: int) -> int:
        """A number whose lower half is an id, as access rules and leases have it."""
        low = value & LOW
        return (value & ~LOW) | self._back(low) if low < FLOOR + len(KINDS) * RANGE else value
