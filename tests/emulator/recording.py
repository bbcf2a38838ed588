"""The recorded sessions of a real front end, and what makes two replies alike.

Times, random values and what the recorded machine happened to have are made the same on both sides.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parents[1] / "data" / "oned"
CHAIN = sorted(path.name.removesuffix(".jsonl.gz") for path in DATA.glob("[01]*.jsonl.gz"))
ALONE = "20_image_snapshots_vrouter_running"

CTIME = re.compile(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}|\d\d-\w{3} \d\d\.\d\d\.\d\d")
RANDOM_NAME = re.compile(r"[0-9a-f]{32}")
RANDOM_MAC = re.compile(r"(?<='MAC', ')[^']*")

TIMES = frozenset(
    [
        "STIME", "ETIME", "PSTIME", "PETIME", "RSTIME", "RETIME", "ESTIME", "EETIME", "REGTIME", "MODTIME", "TIMESTAMP",
        "LAST_POLL", "TIME", "DATE", "EXPIRATION_TIME", "REQUEST_ID", "REQ_ID", "TOTAL_MB", "FREE_MB", "USED_MB",
        "LAST_BACKUP_TIME",
    ]
)  # fmt: skip
RANDOM = frozenset({"TOKEN_PASSWORD", "TOKEN", "UUID", "ENDPOINT", "ENDPOINT_GRPC"})


@dataclass
class Call:
    """One recorded call."""

    file: str
    seq: int
    user: str | None
    method: str
    params: list[Any]
    reply: Any


def recorded(name: str) -> Iterator[Call]:
    """The calls of a file."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            one = json.loads(line)
            reply = one.get("response", one.get("fault", one.get("http")))
            yield Call(name, one["seq"], one["user"], one["method"], one["params"], reply)


# making replies alike


def alike(reply: Any) -> Any:
    """A reply without what differs from run to run."""
    if isinstance(reply, list) and len(reply) == 3 and isinstance(reply[1], str) and reply[1].startswith("<"):
        return [reply[0], alike_element(ET.fromstring(reply[1])), reply[2]]
    if isinstance(reply, list) and len(reply) == 3 and re.fullmatch("[0-9a-f]{64}", str(reply[1])):
        return [reply[0], "random", reply[2]]
    if isinstance(reply, list) and len(reply) == 5:
        return [reply[0], alike_text(reply[1]), *reply[2:]]
    return reply


def alike_text(text: str) -> str:
    """A text without times."""
    return re.sub(r"at line -?\d+|\b1[0-9]{9}\b", "N", CTIME.sub("TIME", text))


def alike_element(element: ET.Element) -> Any:
    """An element as (tag, text or children), without what differs from run to run."""
    tag = element.tag
    if tag == "LAST_POLL":
        return (tag, "time")
    if tag == "MONITORING" and len(element):
        return (tag, "told")
    children = [alike_element(child) for child in element]
    if tag in {"AR", "SECURITY_GROUP_RULE"} and "IP" not in [name for name, _ in children]:
        children = [(name, "random" if name.startswith("MAC") else value) for name, value in children]
        children = [
            (name, RANDOM_MAC.sub("random", str(value)) if name == "LEASES" else value) for name, value in children
        ]
    if tag == "USER" and dict(children).get("NAME") in {"oneadmin", "serveradmin"}:
        children = [(name, "random" if name == "PASSWORD" else value) for name, value in children]
    if children:
        return (tag, children)
    return (tag, alike_value(tag, (element.text or "").strip("\n")))


def alike_argument(word: str) -> str:
    """A document that a hook's command is given, without what differs from run to run."""
    if len(word) < 100:
        return word
    return str(alike_element(ET.fromstring(base64.b64decode(word))))


def alike_value(tag: str, text: str) -> str:
    """A value without what differs from run to run."""
    if tag in TIMES:
        return text if text in {"", "0", "-1"} else "some"
    if tag in RANDOM:
        return "random"
    if tag in {"HOURS", "RHOURS", "YEAR", "MONTH"}:
        return "time"
    if tag == "ARGUMENTS" or (tag == "COMMAND" and " " in text):
        return " ".join(alike_argument(word) for word in text.split(" "))
    if tag in {"SOURCE", "PATH", "ERROR"}:
        return RANDOM_NAME.sub("random", alike_text(text))
    if tag == "MONITORING":
        return "told"
    return alike_text(text)
