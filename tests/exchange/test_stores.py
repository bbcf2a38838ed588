"""Every store does the same: one body of tests over a folder, SFTP to a real sshd, and S3 over real HTTP."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from moto.server import ThreadedMotoServer

from exchange import directory as directories
from exchange.bucket import Bucket
from exchange.errors import AlreadyThere, NotThere, TooLarge, UnknownHost, Unreachable, UnsafeEntry
from exchange.folder import Folder
from exchange.offers import Offer, is_gone, waiting
from exchange.sending import outstanding, send, withdraw
from exchange.sftp import SftpFolder
from exchange.store import Entry
from exchange.stores import open_store
from tests.exchange.road import NOW, kept, receive, referral
from tests.exchange.sshd import Sshd, free_port, keygen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_mock import MockerFixture

    from exchange.store import Writer
    from tests.exchange.conftest import Kongu


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    with server.running():
        yield server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def bucket(address: str, name: str) -> Bucket:
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{address}/{name}", method="PUT")).close()
    return part(address, f"{name}/exchange")


def part(address: str, where: str) -> Bucket:
    return Bucket(
        f"s3://{where}",
        endpoint=address,
        region="us-east-1",
        access_key_id="test",
        secret_access_key="test",
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )


@pytest.fixture(params=["folder", "sftp", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Writer]:
    if request.param == "folder":
        opened: Writer = Folder(tmp_path)
    elif request.param == "sftp":
        opened = request.getfixturevalue("sshd").store(tmp_path)
    else:
        opened = bucket(request.getfixturevalue("s3"), f"b{abs(hash(str(tmp_path)))}")
    yield opened
    opened.close()


def test_what_is_put_is_listed_and_read(store: Writer) -> None:
    store.put("a/b/c/name.age", b"content")
    store.put("a/b/c/other.age", b"")
    assert sorted(store.list("a/b/c"), key=str) == [Entry("name.age", "file", 7), Entry("other.age", "file", 0)]
    assert [*store.list("a/b"), *store.list("a"), *store.list()] == [
        Entry("c", "folder"),
        Entry("b", "folder"),
        Entry("a", "folder"),
    ]
    assert store.read("a/b/c/name.age", 7) == b"content"
    assert store.read("a/b/c/other.age", 7) == b""


def test_nothing_is_replaced(store: Writer) -> None:
    store.put("a/name", b"first")
    with pytest.raises(AlreadyThere):
        store.put("a/name", b"second")
    assert store.read("a/name", 10) == b"first"
    assert [entry.name for entry in store.list("a")] == ["name"]


def test_a_large_stream_goes_through_whole(store: Writer) -> None:
    piece = os.urandom(1 << 20)
    with store.create("large") as stream:
        for _ in range(20):
            stream.write(piece)
    with store.open("large", 20 << 20) as stream:
        assert all(stream.read(1 << 20) == piece for _ in range(20))
        assert stream.read(1) == b""
    with pytest.raises(AlreadyThere), store.create("large") as stream:
        stream.write(piece * 9)


def test_a_failed_write_leaves_nothing(store: Writer) -> None:
    def fail() -> None:
        with store.create("a/name") as stream:
            stream.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(store.list("a")) == []


def test_missing_is_empty_to_list_and_an_error_to_read(store: Writer) -> None:
    assert list(store.list("missing")) == list(store.list("missing/very/deep")) == []
    with pytest.raises(NotThere):
        store.read("missing/very/deep", 10)
    store.delete("missing/deep")
    store.remove_folder("missing/deep")


def test_a_folder_that_is_missing_is_none(store: Writer) -> None:
    store.put("a/b/name", b"content")
    assert store.has_folder("a/b")
    assert store.has_folder("a/c") is store.has_folder("a/b/name") is isinstance(store, Bucket)


def test_too_large_is_not_read(store: Writer) -> None:
    store.put("name", b"12345678")
    with pytest.raises(TooLarge):
        store.open("name", 7)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a//b"])
def test_names_that_leave_the_store_are_refused(store: Writer, name: str) -> None:
    with pytest.raises(UnsafeEntry):
        store.read(name, 10)
    with pytest.raises(UnsafeEntry):
        store.put(name, b"x")
    with pytest.raises(UnsafeEntry):
        store.delete(name)


def test_what_is_deleted_is_gone_and_may_be_swept(store: Writer) -> None:
    store.make_folder("a/b")
    store.put("a/b/name", b"x")
    store.remove_folder("a/b")
    assert store.read("a/b/name", 1) == b"x"
    store.delete("a/b/name")
    store.remove_folder("a/b")
    assert list(store.list("a/b")) == []
    assert store.sweep() == 0


def test_a_community_publishes_over_it(store: Writer, kongu: Kongu) -> None:
    for version in range(1, 36):
        directory = kongu.directory if version == 1 else kongu.changed("erode", vm_id=version)
        directories.publish(store, directory, kongu.community.sign)
        if version == 2:
            break
    with pytest.raises(AlreadyThere):
        directories.publish(store, directory, kongu.community.sign)
    found = directories.latest(store, "kongu", kongu.community.trusted, now=NOW)
    assert (found.value, found.warnings) == (directory, ())


def test_a_referral_goes_over_a_bucket(s3: str, kongu: Kongu, tmp_path: Path) -> None:
    whole = bucket(s3, "kongu")
    outbox = part(s3, "kongu/exchange/out/erode")
    outgoing = referral(kongu.directory, kept(tmp_path / "archive", [1500, 9 << 20, 40]))
    send(outbox, outgoing, kongu.keys["erode"], kongu.directory)
    send(outbox, outgoing, kongu.keys["erode"], kongu.directory)
    found = waiting(whole, "salem", kongu.directory, known=())
    assert (found.offers, found.warnings) == ((Offer("erode", outgoing.referral_id),), ())
    arrived = receive(whole, found.offers[0], "salem", kongu.keys["salem"], kongu.directory, tmp_path / "spool")
    assert [item.path.read_bytes() for item in arrived] == [file.path.read_bytes() for file in outgoing.files]
    assert list(outstanding(outbox)) == [("salem", outgoing.referral_id)]
    directories.publish(whole, kongu.directory, kongu.community.sign)
    assert not is_gone(whole, found.offers[0], "salem")
    withdraw(outbox, "salem", outgoing.referral_id)
    assert is_gone(whole, found.offers[0], "salem")
    assert not is_gone(bucket(s3, "another"), found.offers[0], "salem")
    whole.delete("community/directory/0000000001.json")
    assert list(whole.list()) == []


def test_a_bucket_that_does_not_answer(tmp_path: Path) -> None:
    gone = Bucket(
        "s3://kongu",
        endpoint=f"http://127.0.0.1:{free_port()}",
        region="us-east-1",
        access_key_id="x",
        secret_access_key="x",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    with pytest.raises(Unreachable, match="error sending request") as caught:
        gone.read("name", 10)
    assert "\n" not in str(caught.value)


# SFTP: whom it talks to


def test_an_unknown_host_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    store = SftpFolder(sshd.url(tmp_path), tmp_path / "none", sshd.identity)
    with pytest.raises(UnknownHost, match="SHA256"):
        list(store.list())
    assert list(tmp_path.iterdir()) == []


def test_a_host_with_another_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known_hosts"
    known.write_text(sshd.known_host(keygen(tmp_path / "other")))
    with pytest.raises(UnknownHost, match="another key"):
        SftpFolder(sshd.url(tmp_path), known, sshd.identity).put("name", b"x")
    assert not (tmp_path / "name").exists()


def test_a_key_that_the_host_does_not_take_is_a_clear_line(sshd: Sshd, tmp_path: Path) -> None:
    store = SftpFolder(sshd.url(tmp_path), sshd.known_hosts, keygen(tmp_path / "stranger"))
    with pytest.raises(Unreachable, match="Authentication failed"):
        list(store.list())


def test_a_host_that_is_down_is_a_clear_line(sshd: Sshd, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="cannot be reached"):
        SftpFolder(f"sftp://nobody@127.0.0.1:{free_port()}/srv", sshd.known_hosts, sshd.identity).read("name", 1)


@pytest.mark.parametrize("refused", [None, PermissionError(13, "denied"), OSError("Failure")])
def test_a_folder_is_given_to_a_user_of_the_server(
    sshd: Sshd, tmp_path: Path, mocker: MockerFixture, refused: OSError | None
) -> None:
    if refused:  # as by every server whose user is not root, or is root of a container
        mocker.patch("exchange.sftp_session.SftpSession.chown", side_effect=refused)
    elif os.geteuid() != 0:
        pytest.skip("only root may")
    store = sshd.store(tmp_path)
    store.make_folder("out/erode")
    assert [store.give_folder("out/erode", 100800) for _ in range(2)] == [not refused] * 2
    status = (tmp_path / "out" / "erode").stat()
    assert (status.st_uid, status.st_gid) == ((os.geteuid(), os.getegid()) if refused else (100800, 100800))
    store.close()


def test_links_are_not_followed_over_sftp(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "exchange").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "exchange/link").symlink_to(tmp_path / "secret")
    (tmp_path / "exchange/folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "exchange/pipe")
    store = sshd.store(tmp_path / "exchange")
    assert {(entry.name, entry.kind) for entry in store.list()} == {
        ("link", "other"),
        ("folder", "other"),
        ("pipe", "other"),
    }
    for name in ("link", "folder/secret", "pipe"):
        with pytest.raises(UnsafeEntry):
            store.read(name, 100)
    with pytest.raises(UnsafeEntry):
        store.put("folder/new", b"x")
    assert not (tmp_path / "new").exists()
    store.close()


# Which store an address means


@pytest.mark.parametrize(
    ("where", "kind"),
    [
        ("/srv/exchange", Folder),
        ("relative/path", Folder),
        ("file:///srv/my%20exchange", Folder),
        ("sftp://admin@front-end:2222/srv/exchange", SftpFolder),
    ],
)
def test_an_address_means_a_store(where: str, kind: type) -> None:
    assert isinstance(open_store(where), kind)


def test_an_address_is_read_as_it_is_written() -> None:
    assert str(open_store("file:///srv/my%20exchange")) == "Folder('/srv/my exchange')"
    opened = open_store("sftp://admin@front-end:2222/srv/exchange/")
    assert isinstance(opened, SftpFolder)
    assert opened.root == "/srv/exchange"


@pytest.mark.parametrize("where", ["ftp://host/x", "http://host/x", "s3://"])
def test_what_is_no_address_is_refused(where: str) -> None:
    with pytest.raises(Unreachable):
        open_store(where)
