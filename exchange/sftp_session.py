"""An SFTP session in which a file can be put on the server's disk, where the server knows how."""

from __future__ import annotations

import paramiko
from paramiko.sftp import CMD_EXTENDED, CMD_VERSION

#: OpenSSH's PROTOCOL file, "sftp: Extension request fsync@openssh.com".
FSYNC = "fsync@openssh.com"
_VERSION_BYTES = 4


class SftpSession(paramiko.SFTPClient):
    """paramiko's session, which also hears what the server offers beyond version 3 of the protocol."""

    extensions: frozenset[str] = frozenset()

    def fsync(self, file: paramiko.SFTPFile) -> bool:
        """Have an open file written to disk; False where the server has no such request.

        Raises
        ------
        OSError
            The server could not.
        """
        if FSYNC not in self.extensions:
            return False
        self._request(CMD_EXTENDED, FSYNC, file.handle)  # type: ignore[attr-defined] # as posix_rename does it there
        return True

    def _read_packet(self) -> tuple[int, bytes]:
        kind, data = super()._read_packet()  # type: ignore[misc]
        if kind == CMD_VERSION:
            self.extensions = frozenset(_names_in(data[_VERSION_BYTES:]))
        return kind, data


def _names_in(data: bytes) -> list[str]:
    """The names among pairs of name and value (draft-ietf-secsh-filexfer-02, 4)."""
    told = paramiko.Message(data)
    texts = []
    while told.get_remainder():
        texts.append(told.get_string().decode("utf-8", "replace"))
    return texts[::2]
