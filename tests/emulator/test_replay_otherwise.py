"""The recorded sessions told otherwise: other names, and other ids. A list of answers would not know them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.emulator.player import Player, play_files, recording_cloud
from tests.emulator.recording import CHAIN, Call, alike, recorded

if TYPE_CHECKING:
    from pathlib import Path

NAME = re.compile(r'NAME\s*=\s*"([a-z]+\d+)"')  # not those that are words of OpenNebula too
BURNED = 3


def given_names() -> list[str]:
    """Names that the recorded users gave."""
    found = set()
    for call in (call for name in CHAIN for call in recorded(name)):
        texts = [value for value in call.params if isinstance(value, str)]
        found |= {name for text in texts for name in NAME.findall(text)}
        if call.method == "one.user.allocate" and re.fullmatch(r"\w{3,}", call.params[0]):
            found.add(call.params[0])
    return sorted(found)


def renamed(value: Any, names: re.Pattern[str]) -> Any:
    """A value in which every given name has another end."""
    if isinstance(value, str):
        return names.sub(r"\1zz", value)
    if isinstance(value, list):
        return [renamed(one, names) for one in value]
    return value


def test_other_names(tmp_path: Path) -> None:
    """With every name changed, the replies agree as well as before."""
    names = re.compile(rf"\b({'|'.join(given_names())})\b")

    def told(call: Call) -> Call:
        user, params, reply = (renamed(one, names) for one in (call.user, call.params, call.reply))
        return replace(call, user=user, params=params, reply=reply)

    scores = play_files(tmp_path, CHAIN, told=told)
    total, agreed = sum(one.total for one in scores.values()), sum(one.agreed for one in scores.values())
    differing = [f"{call.file} #{call.seq} {call.method}" for one in scores.values() for call, _ in one.differing]
    assert agreed >= 0.97 * total, "\n".join(differing)


def test_other_ids(tmp_path: Path) -> None:
    """The last session first, on a cloud whose next template has another id."""
    calls = [call for call in recorded("15_template_syntax") if call.method.startswith("one.template.")]
    first = next(call.reply[1] for call in calls if call.method == "one.template.allocate" and call.reply[0])
    with recording_cloud(tmp_path) as cloud:
        player = Player(cloud)
        for number in range(BURNED):
            burned = Call("", 0, "oneadmin", "one.template.allocate", [f'NAME="burned{number}"'], None)
            player.call(burned, player.session(burned))
        differing = [
            call.seq
            for call in (shifted(call, BURNED - first) for call in calls if _is_new(call, first))
            if alike(player.play(call)) != alike(call.reply)
        ]
    assert not differing


def _is_new(call: Call, first: int) -> bool:
    return isinstance(call.params[0], str) or call.params[0] >= first


def shifted(call: Call, by: int) -> Call:
    """A call about templates whose ids are higher."""
    params = [call.params[0] + by, *call.params[1:]] if isinstance(call.params[0], int) else call.params
    reply = json.loads(json.dumps(call.reply))
    if isinstance(reply, list) and reply[0] is True and isinstance(reply[1], int):
        reply[1] += by
    elif isinstance(reply, list):
        reply[1] = re.sub(
            r"(<ID>|TEMPLATE )(\d+)", lambda found: f"{found[1]}{int(found[2]) + by}", str(reply[1]), count=1
        )
    return replace(call, params=params, reply=reply)
