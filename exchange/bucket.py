"""The exchange in a bucket: S3, Google or Azure, through obstore."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from exchange.errors import AlreadyThere, NotThere, TooLarge, Unreachable
from exchange.store import Entry, Writer, bounded, check_size, parts_of, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_SMALL = 8 << 20
"""Up to this, a put says itself that it must not replace; beyond, in parts, it is looked up first."""
_BUFFER = 4 << 20
_MAX_KEYS = 50_000
_SHARED_DEPTH = 1
"""Down to this depth the folders are the admin's, few, and hold everybody's; below, one branch's keys."""


class Bucket(Writer):
    """A bucket or a part of it, `s3://bucket/prefix`; credentials and region as the environment says.

    A put is whole or not there at all. That a branch writes in its own outbox only is the matter of the credentials
    that it is given.

    Parameters
    ----------
    url
        `s3://`, `gs://`, `az://`, as obstore reads it.
    options
        Of obstore's store, for instance `endpoint`.
    """

    def __init__(self, url: str, **options: Any) -> None:
        self.url = url
        try:
            self._store = from_url(url, **options)
        except (BaseError, ValueError) as error:
            raise Unreachable(f"{url} cannot be used: {_first_line(error)}") from error

    def __repr__(self) -> str:
        return f"Bucket({self.url!r})"

    def list(self, folder: str = "") -> Iterator[Entry]:
        """Keys collapsed to what lies directly in the folder; raises `TooLarge` after 50,000 keys."""
        parts = parts_of(folder) if folder else []
        if len(parts) <= _SHARED_DEPTH:
            return self._level(folder)
        return self._collapsed(folder)

    def has_folder(self, name: str) -> bool:
        """Always: a bucket has no folders, so none is missing."""
        parts_of(name)
        return True

    def open(self, name: str, max_bytes: int) -> BinaryIO:
        """Read in ranges of 4 MiB."""
        parts_of(name)
        with _translated(name):
            stream = obstore.open_reader(self._store, name, buffer_size=_BUFFER)
        check_size(name, stream.size, max_bytes)
        return bounded(cast("BinaryIO", _Plain(stream)), max_bytes, name, _translated)

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Written to a temporary file of this machine first: what has begun to go up cannot be taken back."""
        parts_of(name)
        with tempfile.TemporaryFile() as spool:
            yield cast("BinaryIO", spool)
            size = spool.tell()
            spool.seek(0)
            with _translated(name):
                self._put(name, cast("BinaryIO", spool), size)

    def delete(self, name: str) -> None:
        """Delete the key."""
        parts_of(name)
        with suppress(NotThere), _translated(name):
            obstore.delete(self._store, name)

    def make_folder(self, name: str) -> None:
        """Nothing to do: a bucket has no folders."""

    def remove_folder(self, name: str) -> None:
        """Nothing to do: a bucket has no folders."""

    def _put(self, name: str, spool: BinaryIO, size: int) -> None:
        if size <= _SMALL:
            obstore.put(self._store, name, spool.read(), mode="create")
            return
        with suppress(FileNotFoundError):
            obstore.head(self._store, name)
            raise AlreadyThere(f"{printable(name)} is there already, and nothing is replaced")
        obstore.put(self._store, name, spool, chunk_size=_SMALL, max_concurrency=2)

    def _level(self, folder: str) -> Iterator[Entry]:
        with _translated(folder):
            found = obstore.list_with_delimiter(self._store, prefix=folder or None)
        for prefix in found["common_prefixes"]:
            yield Entry(prefix.rpartition("/")[2], "folder")
        for meta in found["objects"]:
            yield Entry(meta["path"].rpartition("/")[2], "file", meta["size"])

    def _collapsed(self, folder: str) -> Iterator[Entry]:
        seen: set[str] = set()
        with _translated(folder):
            keys = chain.from_iterable(obstore.list(self._store, prefix=folder))
            for count, meta in enumerate(keys):
                if count == _MAX_KEYS:
                    raise TooLarge(f"more than {_MAX_KEYS} keys in {printable(folder)}")
                name, slash, _ = meta["path"].removeprefix(folder + "/").partition("/")
                if not slash:
                    yield Entry(name, "file", meta["size"])
                elif name not in seen:
                    seen.add(name)
                    yield Entry(name, "folder")


class _Plain:
    """A reader whose pieces are `bytes`; obstore's own are buffers."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.close = stream.close

    def read(self, size: int) -> bytes:
        return bytes(self._stream.read(size))


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotThere(f"{printable(name)} is not there") from error
    except AlreadyExistsError as error:
        raise AlreadyThere(f"{printable(name)} is there already, and nothing is replaced") from error
    except BaseError as error:
        raise Unreachable(
            f"the bucket does not answer as it should at {printable(name)}: {_first_line(error)}"
        ) from error


def _first_line(error: Exception) -> str:
    """What went wrong; obstore tells its own insides in the lines below."""
    return str(error).partition("\n")[0]
