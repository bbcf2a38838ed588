"""pyone's bindings read every document, and find in ours what they find in a real front end's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from xmlrpc.client import ServerProxy

import pytest
from pyone import bindings

from tests.emulator.player import Player, recording_cloud
from tests.emulator.recording import CHAIN, recorded

if TYPE_CHECKING:
    from pathlib import Path

    from emulator.cloud import Cloud


def document_of(reply: Any) -> str:
    """The document that a reply holds, "" if none."""
    return reply[1] if isinstance(reply, list) and len(reply) == 3 and str(reply[1]).startswith("<") else ""


def bound(text: str) -> Any:
    """A document as pyone hands it to its user; a value of a wrong type is an error here."""
    return bindings.parseString(text.encode(), silence=True)


def filled(document: Any) -> set[str]:
    """Names of the typed elements that a document fills."""
    return {name for name, value in vars(document).items() if name.isupper() and value not in (None, [])}


def test_replies_are_valid(tmp_path: Path) -> None:
    wrong: list[str] = []
    documents = 0
    with recording_cloud(tmp_path) as cloud:
        player = Player(cloud)
        for call in (call for name in CHAIN for call in recorded(name)):
            reply = player.play(call)
            ours, real = document_of(reply), document_of(call.reply)
            if not (ours and real):
                continue
            documents += 1
            if missing := filled(bound(real)) - filled(bound(ours)):
                wrong.append(f"{call.file} #{call.seq} {call.method}: {sorted(missing)}")
    assert documents > 500
    assert len(wrong) <= documents // 100, wrong


@pytest.mark.parametrize(
    ("kind", "made", "before"),
    [
        ("vm", ('CPU="1"\nMEMORY="4"', True), "DEPLOY_ID"),
        ("vn", ('NAME="n"\nVN_MAD="dummy"\nBRIDGE="b"', 0), "NAME"),
        ("template", ('NAME="t"',), "NAME"),
        ("vrouter", ('NAME="r"',), "PERMISSIONS"),
        ("document", ('NAME="d"', 100), "PERMISSIONS"),
        ("vmgroup", ('NAME="g"\nROLE=[NAME="r"]',), "PERMISSIONS"),
        ("hook", ('NAME="h"\nTYPE="api"\nCALL="one.zone.enable"\nCOMMAND="x"',), "TYPE"),
    ],
)
def test_where_a_lock_stands(cloud: Cloud, one: Any, kind: str, made: tuple[Any, ...], before: str) -> None:
    """OpenNebula's schemas have LOCK in another place for each kind; pyone tells who holds it."""
    caller = getattr(one, kind)
    number = caller.allocate(*made)
    caller.lock(number, 4, True)
    assert caller.info(number).LOCK.OWNER == 0
    raw: Any = ServerProxy(cloud.endpoint)
    elements = [child.tag for child in ET.fromstring(getattr(raw.one, kind).info(cloud.session, number, False)[1])]
    assert elements[elements.index(before) + 1] == "LOCK"
