"""The context: what OpenNebula hands the VM at boot, read from the CONTEXT disc without a shell."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.errors import BadContext

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIRED = (
    "GURNEY_COMMUNITY",
    "GURNEY_BRANCH",
    "GURNEY_AE_TITLE",
    "GURNEY_COMMUNITY_KEY",
    "GURNEY_RECOVERY_KEY",
    "VMID",
)
MOUNTS = ("exchange", "outbox")

#: One `KEY='value'` of context.sh. A quote inside is written `'\''`, a value may run over several lines.
_ASSIGNMENT = re.compile(r"\s*(?:#[^\n]*(?:\n|\Z)|([A-Za-z_]\w*)=((?:'[^']*'|\\')*)[ \t]*(?:\n|\Z))")
_PIECE = re.compile(r"'([^']*)'|\\(')")
_MOUNT_TAG = re.compile(r"DISK(\d+)_MOUNT_TAG")
_NUMBER = re.compile(r"[0-9]{1,10}")

#: PS3.5 6.2, AE: at most 16 characters, no backslash, no control characters.
_AE_TITLE = re.compile(r"[ -\[\]-~]{1,16}")


@dataclass(frozen=True)
class OneGate:
    """Where the VM reports to, and the secret with which it does."""

    endpoint: str
    token: str = field(repr=False)


@dataclass(frozen=True)
class Context:
    """Who this appliance is, whose signatures it believes, and where the exchange is mounted."""

    community: str
    branch: str
    ae_title: str
    community_key: str
    recovery_key: str
    vm_id: int
    onegate: OneGate | None
    exchange: Path
    outbox: Path
    time_zone: str = ""


def read_context(folder: Path, mounts: Mapping[str, Path]) -> Context:
    """
    Read `context.sh`, and `token.txt` beside it, from the CONTEXT disc.

    Parameters
    ----------
    folder
        Where the disc is mounted.
    mounts
        Mount tag to directory; wins over the `DISKn_MOUNT_POINT` of the context.

    Raises
    ------
    BadContext
        The file is missing, is not what OpenNebula writes, or lacks a variable or a mounted directory.
    """
    variables = parse(_text_of(folder / "context.sh"))
    missing = [name for name in REQUIRED if not variables.get(name, "").strip()]
    if missing:
        raise BadContext(
            f"{folder / 'context.sh'}: {', '.join(missing)} missing: instantiate the VM from Gurney's template"
        )
    places = {**_mount_points(variables), **mounts}
    return Context(
        community=variables["GURNEY_COMMUNITY"],
        branch=variables["GURNEY_BRANCH"],
        ae_title=_ae_title(variables["GURNEY_AE_TITLE"]),
        community_key=variables["GURNEY_COMMUNITY_KEY"],
        recovery_key=variables["GURNEY_RECOVERY_KEY"],
        vm_id=_vm_id(variables["VMID"]),
        onegate=_onegate(folder, variables),
        exchange=_mounted("exchange", places),
        outbox=_mounted("outbox", places),
        time_zone=variables.get("GURNEY_TIME_ZONE", ""),
    )


def parse(text: str) -> dict[str, str]:
    r"""
    The variables of a `context.sh`: lines of `KEY='value'`, `'\''` for a quote, and comments; nothing else.

    Raises
    ------
    BadContext
        A line is anything else: it would mean something to a shell only.
    """
    variables: dict[str, str] = {}
    position, end = 0, len(text.rstrip())
    while position < end:
        found = _ASSIGNMENT.match(text, position)
        if found is None:
            line = text.count("\n", 0, position) + 1
            raise BadContext(f"context.sh, line {line}: not a line of the form KEY='value'")
        if found[1]:
            variables[found[1]] = "".join(quoted or quote for quoted, quote in _PIECE.findall(found[2]))
        position = found.end()
    return variables


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadContext(f"{path}: no such file: is the CONTEXT disc attached and mounted?") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadContext(f"{path}: cannot be read: {error}") from error


def _mount_points(variables: Mapping[str, str]) -> dict[str, Path]:
    tags = {tag: found[1] for name, tag in variables.items() if (found := _MOUNT_TAG.fullmatch(name))}
    points = {tag: variables.get(f"DISK{disk}_MOUNT_POINT", "") for tag, disk in tags.items()}
    points |= {tag: f"/mnt/{tag}" for tag in MOUNTS} if variables.get("GURNEY_EXCHANGE") else {}
    return {tag: Path(point) for tag, point in points.items() if point}


def _mounted(tag: str, places: Mapping[str, Path]) -> Path:
    if tag not in places:
        raise BadContext(
            f"the disk with MOUNT_TAG={tag} is not in the context: give --mount {tag}=DIRECTORY, or attach it"
        )
    if not places[tag].is_dir():
        raise BadContext(f"{places[tag]}: no such directory: the disk with MOUNT_TAG={tag} is not mounted")
    return places[tag]


def _ae_title(text: str) -> str:
    title = text.strip()
    if not _AE_TITLE.fullmatch(title):
        raise BadContext(f"GURNEY_AE_TITLE={text!r}: an AE title has 1 to 16 ASCII characters and no backslash")
    return title


def _vm_id(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise BadContext(f"VMID={text!r}: not a number")
    return int(text)


def _onegate(folder: Path, variables: Mapping[str, str]) -> OneGate | None:
    endpoint = variables.get("ONEGATE_ENDPOINT", "")
    return OneGate(endpoint, _text_of(folder / "token.txt").strip()) if endpoint else None
