"""Which file on this workstation is an image's, and how it comes to the front end before OpenNebula reads it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from provision.upload.front_end import connected
from provision.upload.sending import Sent, digest_of, sent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.ssh_host import SshHost


class Uploads:
    """The files that lie beside a community file, and the front end that they are brought to.

    Parameters
    ----------
    host
        The front end's SSH server.
    folder
        Where a file is looked for under the name that the image has on the front end.
    """

    def __init__(self, host: SshHost, folder: Path) -> None:
        self.on_progress: Callable[[str, Sent], None] = _silent
        self._host = host
        self._folder = folder

    def bring(self, source: str, go_on: Callable[[], None]) -> bool:
        """Bring the file of an image to its path on the front end; whether anything was sent.

        Where this workstation has no file of that name, it is taken to be there already.

        Parameters
        ----------
        go_on
            Called between pieces of the file, and while the front end is waited for; what it raises ends the upload,
            and the next one goes on from there.

        Raises
        ------
        NotUploaded
            When it could not be brought there whole.
        """
        name, local = PurePosixPath(source).name, self._local(source)
        if not local.is_file():
            return False

        def told(progress: Sent) -> None:
            go_on()
            self.on_progress(name, progress)

        with connected(self._host, go_on) as front_end:
            return sent(front_end, local, source, told)

    def digest(self, source: str) -> str:
        """The SHA-256 of the file of an image, in hexadecimal digits; "" where this workstation has none."""
        local = self._local(source)
        return digest_of(local) if local.is_file() else ""

    def _local(self, source: str) -> Path:
        return self._folder / PurePosixPath(source).name


def _silent(_name: str, _progress: Sent) -> None:
    """No one watches."""
