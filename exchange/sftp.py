"""The exchange over SFTP: how an admin's machine reaches the folder that the hosts share."""

from __future__ import annotations

import stat
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import paramiko

from exchange.errors import AlreadyThere, NotThere, StoreError, Unreachable, UnsafeEntry
from exchange.sftp_session import SftpSession
from exchange.ssh_host import TIMEOUT_S, SshHost
from exchange.store import TEMPORARY, Entry, Kind, Writer, bounded, check_size, parts_of, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class SftpFolder(Writer):
    """A folder behind `sftp://user@host:port/path`; the path is absolute.

    The host must show a key that `known_hosts` names. Unlike the file system's door this one cannot hold on to a
    folder while it looks into it: each part of a name is looked at first, and must not be a link. The admin uses it
    where only admins write.

    Parameters
    ----------
    url
        Where the folder is.
    known_hosts
        In OpenSSH's format; the user's own by default.
    identity
        A private key file; the user's agent and usual files by default.
    """

    def __init__(self, url: str, known_hosts: Path | None = None, identity: Path | None = None) -> None:
        self.url = url
        self.root = unquote(urlsplit(url).path).rstrip("/")
        self._host = SshHost.of(url, known_hosts, identity)

    def __repr__(self) -> str:
        return f"SftpFolder({self.url!r})"

    def list(self, folder: str = "") -> Iterator[Entry]:
        """The server's own listing, whole: its attributes are those of the entries, not of what they point to."""
        path = self._path(folder) if folder else self.root
        with suppress(NotThere), _translated(folder):
            self._check_folders(parts_of(folder) if folder else [])
            for attributes in self._client.listdir_attr(path):
                size = attributes.st_size or 0
                kind = _kind(attributes)
                yield Entry(attributes.filename, kind, size if kind == "file" else 0)

    def open(self, name: str, max_bytes: int) -> BinaryIO:
        """Size and type are looked at first; what comes after is cut off at `max_bytes`."""
        path = self._path(name)
        with _translated(name):
            self._check_folders(parts_of(name)[:-1])
            attributes = self._client.lstat(path)
            if _kind(attributes) != "file":
                raise UnsafeEntry(f"{printable(name)} is not a regular file")
            size = attributes.st_size or 0
            check_size(name, size, max_bytes)
            stream = self._client.open(path, "rb")
            stream.prefetch(size)
        return bounded(cast("BinaryIO", stream), max_bytes, name, _translated)

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Temporary name, flushed to disk, then SFTP's rename, which unlike POSIX's never replaces, flushed again.

        Where the server has OpenSSH's request for that. A second one after the rename takes the name along: a
        journalling file system writes it with the file's own change of status. Every piece is answered before the
        next: paramiko drops the answers of those that it sends ahead, a full disk among them.
        """
        path = self._path(name)
        temporary = f"{path.rpartition('/')[0]}/{TEMPORARY}{uuid4().hex}"
        if "/" in name:
            self.make_folder(name.rpartition("/")[0])
        with _translated(name):
            stream = self._client.open(temporary, "wbx")
        try:
            with stream, _translated(name), _refused(name):
                yield cast("BinaryIO", stream)
                stream.flush()
                stream.chmod(0o644)
                self._client.fsync(stream)
                self._rename(temporary, path, name)
                self._client.fsync(stream)
        except BaseException:
            with suppress(OSError, paramiko.SSHException, EOFError):
                self._client.remove(temporary)
            raise

    def delete(self, name: str) -> None:
        """Remove the file; a link is removed, not what it points to."""
        with suppress(NotThere), _translated(name):
            self._check_folders(parts_of(name)[:-1])
            self._client.remove(self._path(name))

    def make_folder(self, name: str) -> None:
        """Make each part that is missing."""
        parts = parts_of(name)
        with _translated(name):
            for depth in range(1, len(parts) + 1):
                self._make("/".join(parts[:depth]))
            self._check_folders(parts)

    def give_folder(self, name: str, owner: int) -> bool:
        """Change its owner, which on most servers is root's alone."""
        with _translated(name):
            self._check_folders(parts_of(name))
            if self._client.lstat(self._path(name)).st_uid != owner:
                try:
                    self._client.chown(self._path(name), owner, owner)
                except OSError as error:
                    # No number comes with "failure", as of a container that has no such user, and "unsupported".
                    if isinstance(error, PermissionError) or error.errno is None:
                        return False
                    raise
        return True

    def remove_folder(self, name: str) -> None:
        """Remove the folder unless something lies in it."""
        path = self._path(name)
        with suppress(OSError, NotThere), _translated(name):
            self._client.rmdir(path)

    def close(self) -> None:
        """End the session, if one was begun."""
        if "_ssh" in self.__dict__:
            self._ssh.close()

    @cached_property
    def _ssh(self) -> paramiko.SSHClient:
        return self._host.connected()

    @cached_property
    def _client(self) -> SftpSession:
        transport = self._ssh.get_transport()
        client = SftpSession.from_transport(transport) if transport is not None else None
        if client is None:
            raise Unreachable(f"{self._host} opens no SFTP session")
        channel = client.get_channel()
        if channel is not None:
            channel.settimeout(TIMEOUT_S)
        return client

    def _path(self, name: str) -> str:
        return "/".join([self.root, *parts_of(name)])

    def _check_folders(self, parts: Sequence[str]) -> None:
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            if _kind(self._client.lstat(self._path(name))) != "folder":
                raise UnsafeEntry(f"{printable(name)} leads over a link or a file")

    def _make(self, name: str) -> None:
        path = self._path(name)
        try:
            self._client.mkdir(path, 0o755)
        except OSError:
            with suppress(OSError):
                self._client.lstat(path)
                return
            raise

    def _rename(self, temporary: str, path: str, name: str) -> None:
        try:
            self._client.rename(temporary, path)
        except OSError:
            with _translated(name):
                self._client.lstat(path)
            raise AlreadyThere(f"{printable(name)} is there already, and nothing is replaced") from None


def _kind(attributes: paramiko.SFTPAttributes) -> Kind:
    mode = attributes.st_mode or 0
    if stat.S_ISREG(mode):
        return "file"
    return "folder" if stat.S_ISDIR(mode) else "other"


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotThere(f"{printable(name)} is not there") from error
    except UnicodeDecodeError as error:
        raise UnsafeEntry(f"a name in {printable(name)} is no text") from error
    except (EOFError, TimeoutError, ConnectionError, paramiko.SSHException) as error:
        raise Unreachable(f"the SFTP session ended while at {printable(name)}: {error}") from error


@contextmanager
def _refused(name: str) -> Iterator[None]:
    """SFTP version 3 has one status for all that has none of its own, a full disk among it: paramiko's bare OSError."""
    try:
        yield
    except OSError as error:
        if type(error) is OSError and error.errno is None:
            raise StoreError(f"the SFTP server did not write {printable(name)}: {error} (is its disk full?)") from error
        raise
