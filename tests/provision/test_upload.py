"""Images from a workstation to the front end, by a real sshd: whole or not at all, and on from where it broke."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from cli.desk import planned
from provision.applying.apply import refuse
from provision.declaring.reading import parse
from provision.errors import Blocked, NotFinished
from provision.upload.front_end import NotUploaded, connected
from provision.upload.sending import Sent, sent
from provision.upload.uploads import Uploads
from tests.exchange.sshd import Sshd, keygen
from tests.provision.uploading import MIB, address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.provision.conftest import Office


def send(sshd: Sshd, local: Path, remote: Path, watch: Callable[[Sent], None] = lambda _: None, port: int = 0) -> bool:
    with connected(address(sshd, port or None)) as front_end:
        return sent(front_end, local, str(remote), watch)


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_arrives_whole_under_its_name_and_for_everybody_to_read(sshd: Sshd, image: Path, folder: Path) -> None:
    seen: list[tuple[int, list[str]]] = []
    assert send(sshd, image, folder / "a.qcow2", lambda told: seen.append((told.done, only(folder))))
    assert (folder / "a.qcow2").read_bytes() == image.read_bytes()
    assert (folder / "a.qcow2").stat().st_mode & 0o777 == 0o644
    assert only(folder) == ["a.qcow2"]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1][0] == 8 * MIB
    assert all("a.qcow2" not in names for _, names in seen), "nothing has its name before it is whole"


def test_what_is_there_is_not_sent_again(sshd: Sshd, image: Path, folder: Path) -> None:
    assert send(sshd, image, folder / "a.qcow2")
    assert not send(sshd, image, folder / "a.qcow2")


def test_another_file_of_that_name_stays_as_it_is(sshd: Sshd, image: Path, folder: Path) -> None:
    (folder / "a.qcow2").write_bytes(b"somebody's")
    with pytest.raises(NotUploaded, match="is there with another content"):
        send(sshd, image, folder / "a.qcow2")
    assert (folder / "a.qcow2").read_bytes() == b"somebody's"


@contextlib.contextmanager
def road_that_breaks(port: int, after: int) -> Iterator[int]:
    """A port that leads to another, and breaks once so many bytes have gone that way."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def carry() -> None:
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            back = threading.Thread(target=pump, args=(far, near, 1 << 60), daemon=True)
            back.start()
            pump(near, far, after)
            back.join()

        thread = threading.Thread(target=carry, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def pump(source: socket.socket, target: socket.socket, most: int) -> None:
    with contextlib.suppress(OSError):
        while most > 0 and (data := source.recv(65536)):
            target.sendall(data)
            most -= len(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def test_a_broken_connection_is_gone_on_from(sshd: Sshd, image: Path, folder: Path) -> None:
    known = sshd.known_hosts.read_text()
    with road_that_breaks(sshd.port, 4 * MIB) as port:
        try:
            sshd.known_hosts.write_text(known + known.replace(f":{sshd.port} ", f":{port} "))
            with pytest.raises(NotUploaded):
                send(sshd, image, folder / "a.qcow2", port=port)
        finally:
            sshd.known_hosts.write_text(known)
    (part,) = only(folder)
    assert part.startswith(".a.qcow2.")
    kept = (folder / part).stat().st_size
    assert MIB < kept < 8 * MIB
    seen: list[int] = []
    assert send(sshd, image, folder / "a.qcow2", lambda told: seen.append(told.done))
    assert kept <= seen[0] < 8 * MIB, "nothing that arrived is sent again; the server may have had more on its way"
    assert (folder / "a.qcow2").read_bytes() == image.read_bytes()
    assert only(folder) == ["a.qcow2"]


def part_of(image: Path, folder: Path) -> Path:
    return folder / f".a.qcow2.{hashlib.sha256(image.read_bytes()).hexdigest()[:16]}.part"


def test_what_an_earlier_try_left_is_kept_only_where_it_is_the_same(sshd: Sshd, image: Path, folder: Path) -> None:
    part_of(image, folder).write_bytes(b"x" * MIB)
    seen: list[int] = []
    assert send(sshd, image, folder / "a.qcow2", lambda told: seen.append(told.done))
    assert seen[0] == 0
    assert (folder / "a.qcow2").read_bytes() == image.read_bytes()


def test_a_wrong_checksum_gives_no_image(sshd: Sshd, image: Path, folder: Path) -> None:
    """A bit turns over on the front end's disk meanwhile."""

    def spoil(told: Sent) -> None:
        if told.done == told.total:
            with part_of(image, folder).open("r+b") as file:
                file.write(b"spoilt")

    with pytest.raises(NotUploaded, match=r"SHA-256 \w+ arrived, \w+ was sent"):
        send(sshd, image, folder / "a.qcow2", spoil)
    assert only(folder) == []
    assert send(sshd, image, folder / "a.qcow2")


@pytest.fixture
def small_disk(folder: Path) -> Iterator[Path]:
    """A folder on a disk of 26 MiB."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=26m", "none", folder], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_too_little_room_is_said_before_anything_is_sent(sshd: Sshd, image: Path, small_disk: Path) -> None:
    (small_disk / "other").write_bytes(bytes(5 * MIB))
    with pytest.raises(NotUploaded, match="has 21 MiB free, and 24 are needed"):
        send(sshd, image, small_disk / "a.qcow2")
    assert only(small_disk) == ["other"]


def test_a_disk_that_fills_up_meanwhile_is_gone_on_from(sshd: Sshd, image: Path, small_disk: Path) -> None:
    def fill(told: Sent) -> None:
        other = small_disk / "other"
        if told.done > 2 * MIB and not other.exists():
            descriptor = os.open(other, os.O_WRONLY | os.O_CREAT)
            with contextlib.suppress(OSError):
                while os.write(descriptor, bytes(65536)):
                    pass
            os.close(descriptor)

    with pytest.raises(NotUploaded, match=r"could not be written whole|failed"):
        send(sshd, image, small_disk / "a.qcow2", fill)
    assert "a.qcow2" not in only(small_disk)
    (small_disk / "other").unlink()
    assert send(sshd, image, small_disk / "a.qcow2")
    assert (small_disk / "a.qcow2").read_bytes() == image.read_bytes()


def test_a_host_that_is_not_known_gets_nothing(sshd: Sshd, image: Path, folder: Path, tmp_path: Path) -> None:
    nobody = tmp_path / "known_hosts"
    nobody.write_text("")
    with (
        pytest.raises(NotUploaded, match="is not known: compare ssh-ed25519"),
        connected(replace(address(sshd), known_hosts=nobody)),
    ):
        pass
    nobody.write_text(sshd.known_host(keygen(tmp_path / "other_key")))
    with pytest.raises(NotUploaded, match="shows another key"), connected(replace(address(sshd), known_hosts=nobody)):
        pass
    assert only(folder) == []


def test_an_apply_brings_the_image_that_lies_beside_the_community_file(
    new_office: Callable[..., Office], example_text: str, sshd: Sshd, image: Path, folder: Path
) -> None:
    office = new_office()
    place = office.folder / "state" / "host" / str(folder).lstrip("/")
    place.parent.mkdir(parents=True)
    place.symlink_to(folder)  # what is the front end's folder for sshd is it for the embedded cloud as well
    text = example_text[: example_text.index("  salem:")].replace(
        "/var/tmp/gurney-appliance.qcow2", f"{folder}/{image.name}"
    )
    text = text.replace("  cluster: default", f"  cluster: default\n  upload: sftp://root@127.0.0.1:{sshd.port}")
    office = replace(office, community=parse(text))
    with pytest.raises(Blocked, match=rf"may not read {folder}/{image.name}: put it into one of its SAFE_DIRS"):
        office.apply()
    office.raw("datastore.update", 1, f'SAFE_DIRS="/var/tmp {folder}"', 1)
    with pytest.raises(NotFinished, match="No such file"):
        office.apply()
    uploads = Uploads(address(sshd), image.parent)
    told: list[Any] = []
    uploads.on_progress = lambda name, progress: told.append((name, progress))
    office = replace(office, desk=replace(office.desk, uploads=uploads))
    assert not office.apply().after
    assert told[-1] == (image.name, Sent(8 * MIB, 8 * MIB))
    assert (folder / image.name).read_bytes() == image.read_bytes()
    told.clear()
    assert not office.plan()
    assert planned(office.desk, office.community).obstacles == ()
    image.write_bytes(b"another release under the same name")
    the_plan = planned(office.desk, office.community)
    with pytest.raises(Blocked, match=rf"{image.name} beside the community file .* give the new one another name"):
        refuse(the_plan, frozenset())
    later = image.rename(image.with_name("gurney-2.qcow2"))
    newer = replace(office, community=parse(text.replace(image.name, later.name)))
    the_plan = planned(newer.desk, newer.community)
    assert the_plan.obstacles == ()
    assert ("create", "appliance-image") in [(step.action, step.kind) for step in the_plan]
    later.unlink()
    assert planned(office.desk, office.community).obstacles == (), "nobody needs the file of an image that stands"
