"""A file sent to the front end: what came there before is kept where it is the same, and the whole is compared."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from provision.upload.front_end import CHUNK, FrontEnd, NotUploaded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Room that is left on the front end beside the file.
SPARE_BYTES = 16 << 20


@dataclass(frozen=True)
class Sent:
    """How many bytes of how many are on the front end."""

    done: int
    total: int


def sent(front_end: FrontEnd, local: Path, remote: str, on_progress: Callable[[Sent], None]) -> bool:
    """Bring a file to its place on the front end; whether anything had to be sent.

    It is written under a name of its own, which names its content, and given its place when the front end has read it
    back with the same SHA-256. What an earlier try left is kept as far as it is the same.

    Raises
    ------
    NotUploaded
        When another file has the place, there is no room, or what arrived is not what was sent.
    """
    total, digest = local.stat().st_size, digest_of(local)
    there = front_end.size(remote)
    if there is not None:
        if there == total and front_end.sha256(remote, total) == digest:
            return False
        raise NotUploaded(f"{remote} is there with another content: give the image another name, or remove that file")
    place = PurePosixPath(remote)
    part = str(place.with_name(f".{place.name}.{digest[:16]}.part"))
    begun = _begun(front_end, local, part)
    _check_room(front_end, str(place.parent), total - begun)
    on_progress(Sent(begun, total))
    try:
        for done in front_end.append(part, begun, _pieces(local, begun)):
            on_progress(Sent(done, total))
    except OSError as error:
        raise NotUploaded(f"{part} could not be written whole: {error}; what arrived stays, try again") from error
    arrived = front_end.sha256(part, total)
    if front_end.size(part) != total or arrived != digest:
        front_end.remove(part)
        raise NotUploaded(f"{remote}: SHA-256 {arrived} arrived, {digest} was sent: nothing is kept of it, try again")
    front_end.put_in_place(part, remote)
    return True


def _begun(front_end: FrontEnd, local: Path, part: str) -> int:
    """How much of the file is on the front end already; nothing, where what is there is something else."""
    size = front_end.size(part) or 0
    if not size:
        return 0
    same = size <= local.stat().st_size and front_end.sha256(part, size) == digest_of(local, size)
    if not same:
        front_end.remove(part)
    return size if same else 0


def _check_room(front_end: FrontEnd, folder: str, needed: int) -> None:
    free = front_end.free(folder)
    if needed + SPARE_BYTES > free:
        mib = 1 << 20
        raise NotUploaded(f"{folder} of the front end has {free // mib} MiB free, and {needed // mib + 16} are needed")


def digest_of(path: Path, count: int | None = None) -> str:
    """The SHA-256 of a file, or of its first bytes, in hexadecimal digits."""
    digest = sha256()
    for piece in _pieces(path, 0, count):
        digest.update(piece)
    return digest.hexdigest()


def _pieces(path: Path, begin: int, end: int | None = None) -> Iterator[bytes]:
    """The bytes of a file between two places."""
    left = (path.stat().st_size if end is None else end) - begin
    with path.open("rb") as file:
        file.seek(begin)
        while left > 0 and (piece := file.read(min(CHUNK, left))):
            left -= len(piece)
            yield piece
