"""Which store a path or a URL means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from exchange.errors import Unreachable
from exchange.folder import Folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.store import Writer


def open_store(where: str | Path, *, known_hosts: Path | None = None, identity: Path | None = None) -> Writer:
    """The store at a path or a URL; nothing is connected before it is used. Close it when done.

    Parameters
    ----------
    where
        A path, `file:///path`, `sftp://user@host:port/path`, `s3://bucket/prefix`, `gs://...` or `az://...`.
    known_hosts, identity
        For SFTP: the hosts' keys and the private key file; those of the user by default.

    Raises
    ------
    Unreachable
        Not an address of a store.
    """
    scheme = urlsplit(str(where)).scheme

    def folder() -> Writer:
        return Folder(Path(unquote(urlsplit(str(where)).path)) if scheme else Path(where))

    def sftp() -> Writer:
        from exchange.sftp import SftpFolder

        return SftpFolder(str(where), known_hosts, identity)

    def bucket() -> Writer:
        from exchange.bucket import Bucket

        return Bucket(str(where))

    doors: dict[str, Callable[[], Writer]] = {
        "": folder,
        "file": folder,
        "sftp": sftp,
        "s3": bucket,
        "gs": bucket,
        "az": bucket,
    }
    if scheme not in doors:
        raise Unreachable(
            f"{where} is not an address of a store: expected a path, or one of {', '.join(filter(None, doors))}://"
        )
    return doors[scheme]()
