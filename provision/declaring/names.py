"""Names that people choose, and what they may be made of, since each becomes a path, a hostname or an object's name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema


@dataclass(frozen=True)
class NameRule:
    """What one sort of name may look like, as a pattern for machines and in words for people."""

    pattern: str
    words: str
    reserved: frozenset[str] = frozenset()
    secret: bool = False
    """Whether somebody may have written a password or a private key here: then it is not said again."""

    def __call__(self, name: str) -> str:
        """The name itself, where it follows the rule."""
        if not re.fullmatch(self.pattern, name):
            raise ValueError(f"{'this' if self.secret else repr(name)} will not do: {self.words}")
        if name in self.reserved:
            raise ValueError(f"{name!r} is taken by Gurney itself: choose another name")
        return name

    def schema(self) -> dict[str, Any]:
        """The rule in JSON Schema."""
        return {"type": "string", "pattern": f"^(?:{self.pattern})$", "description": self.words}


#: A hostname label (RFC 1123), short enough that `community.branch.archive` and a hostname both hold it.
LABEL = NameRule(
    r"[a-z]([a-z0-9-]{0,29}[a-z0-9])?",
    "1 to 31 lower-case letters, digits and inner dashes, a letter first",
    frozenset({"community", "exchange", "out", "appliance", "keys", "applying", "default"}),
)
#: PS3.5 6.2, AE: at most 16 characters. The standard allows more signs; these survive every path, log and context.
AE_TITLE = NameRule(
    r"[A-Za-z0-9]([A-Za-z0-9 ._-]{0,14}[A-Za-z0-9._-])?",
    "an AE title has 1 to 16 letters, digits, inner spaces, '.', '_' or '-' (DICOM PS3.5 6.2)",
)
LOGIN = NameRule(
    r"[a-z]([a-z0-9._-]{0,29}[a-z0-9])?",
    "a login has 1 to 31 lower-case letters, digits, '.', '_' and '-', a letter first",
)
#: A Linux interface name: at most 15 bytes (IFNAMSIZ less one).
DEVICE = NameRule(r"[A-Za-z0-9][A-Za-z0-9._-]{0,14}", "a network device has 1 to 15 letters, digits, '.', '_', '-'")
OBJECT = NameRule(
    r"[^\x00-\x1f/\\\"'\]\[<>&$]{1,128}",
    "the name of an OpenNebula object has 1 to 128 characters, without quotes, brackets, '/', '&' and '$'",
)
TITLE = NameRule(r"[^\x00-\x1f\x7f]{1,120}", "a title is one line of 1 to 120 characters")
PATH = NameRule(
    r"(?!.*/\.{1,2}(?:/|$))/[^\x00-\x1f\"'$<>&\\\]\[]*[^\x00-\x1f\"'$<>&\\\]\[/]",
    "a path on the front end is absolute, has no part '.' or '..', no quotes, brackets, '$' and backslashes, and "
    "does not end in '/'",
)
#: Where a file that is named without a folder lies on the front end: OpenNebula's datastores may read it (SAFE_DIRS).
SAFE_DIR = "/var/tmp"  # noqa: S108 - a folder of the front end, not of this machine
IMAGE_FILE = NameRule(
    rf"(?:{PATH.pattern})|[A-Za-z0-9][A-Za-z0-9._-]{{0,254}}",
    f"an image is a path on the front end, or the name of a file in its folder {SAFE_DIR}",
)

CEPH_NAME = NameRule(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name in Ceph has 1 to 64 letters, digits, '.', '_', '-'")
#: A host name (RFC 1123) or an address, with a port where one is needed.
HOST_NAME = NameRule(
    r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[1-9][0-9]{0,4})?", "a host is a name or an address, and a port"
)
#: How this command line reaches the exchange.
STORE = NameRule(
    r"(/|file://|sftp://|s3://|gs://|az://)\S+",
    "the exchange is reached by an absolute path, or by sftp://HOST/PATH, s3://, gs:// or az://BUCKET/PREFIX",
    secret=True,
)
SFTP_SERVER = NameRule(r"sftp://[^\s/]+", "an SSH server is written sftp://USER@HOST, without a path", secret=True)
WEB_ADDRESS = NameRule(
    r"https?://[^\s\"'$<>\\]+",
    "an address begins with http:// or https:// and has no blanks, quotes, '$' and backslashes",
    secret=True,
)

Label = Annotated[str, AfterValidator(LABEL), WithJsonSchema(LABEL.schema())]
AeTitle = Annotated[str, AfterValidator(AE_TITLE), WithJsonSchema(AE_TITLE.schema())]
Login = Annotated[str, AfterValidator(LOGIN), WithJsonSchema(LOGIN.schema())]
Device = Annotated[str, AfterValidator(DEVICE), WithJsonSchema(DEVICE.schema())]
ObjectName = Annotated[str, AfterValidator(OBJECT), WithJsonSchema(OBJECT.schema())]
Title = Annotated[str, AfterValidator(TITLE), WithJsonSchema(TITLE.schema())]
ImageFile = Annotated[str, AfterValidator(IMAGE_FILE), WithJsonSchema(IMAGE_FILE.schema())]
CephName = Annotated[str, AfterValidator(CEPH_NAME), WithJsonSchema(CEPH_NAME.schema())]
HostName = Annotated[str, AfterValidator(HOST_NAME), WithJsonSchema(HOST_NAME.schema())]
HostPath = Annotated[str, AfterValidator(PATH), WithJsonSchema(PATH.schema())]
Store = Annotated[str, AfterValidator(STORE), WithJsonSchema(STORE.schema())]
SftpServer = Annotated[str, AfterValidator(SFTP_SERVER), WithJsonSchema(SFTP_SERVER.schema())]
WebAddress = Annotated[str, AfterValidator(WEB_ADDRESS), WithJsonSchema(WEB_ADDRESS.schema())]
