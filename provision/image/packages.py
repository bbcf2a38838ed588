"""Debian's packages for an image: looked up by apt in a world of its own, downloaded once, and kept."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from provision.image.errors import ImageNotBuilt
from provision.image.tool import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from provision.image.mirror import Source

#: What an appliance needs, and nothing else; the rest is what these depend on.
WANTED = (
    "apt",
    "ca-certificates",
    "dbus",
    "debian-archive-keyring",
    "e2fsprogs",
    "initramfs-tools",
    "iproute2",
    "iputils-ping",
    "kmod",
    "less",
    "linux-image-amd64",
    "nftables",
    "openssh-server",
    "python3",
    "qemu-guest-agent",
    "samba",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
    "tzdata",
    "udev",
    "unattended-upgrades",
    "zstd",
)
#: What a BIOS and what UEFI start. They are not installed, nor is what they depend on: what is made of them lies
#: outside the file tree.
LOADERS = ("grub-efi-amd64-bin", "grub-pc-bin")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_FILE = re.compile(r"'[^']*' (\S+\.deb) \d+ ")


@dataclass(frozen=True, order=True)
class Package:
    """One package, as Debian's signed index describes it."""

    name: str
    version: str
    architecture: str
    file: str
    size: int
    sha256: str
    stanza: str

    @property
    def identity(self) -> str:
        """Name and version, as apt takes them."""
        return f"{self.name}={self.version}"

    def found_in(self, folder: Path) -> Path:
        """
        Its file, which is what the index says it is.

        Raises
        ------
        ImageNotBuilt
            It has another digest.
        """
        path = folder / self.file
        if hashlib.sha256(path.read_bytes()).hexdigest() != self.sha256:
            raise ImageNotBuilt(
                f"{path}: is not the package that Debian's index describes: remove it and use --refresh"
            )
        return path


@dataclass(frozen=True)
class Packages:
    """All packages of an image.

    Attributes
    ----------
    folder
        Where the files lie.
    date
        Of the newest index that they were looked up in, in seconds since 1970.
    items
        Those that are installed.
    loader
        Those of which the boot loaders are made: `LOADERS`, and of what these depend on all that is not installed.
    """

    folder: Path
    date: int
    items: tuple[Package, ...]
    loader: tuple[Package, ...] = ()

    @property
    def index(self) -> str:
        """A `Packages` file that describes those that are installed as lying beside it."""
        return "\n".join(package.stanza for package in self.items)


def find_packages(cache: Path, sources: Sequence[Source], *, refresh: bool = False) -> Packages:
    """
    The packages of an image from these sources: those that were looked up before, unless told to refresh.

    Raises
    ------
    ImageNotBuilt
        Something is not in the cache and the mirror cannot be reached.
    """
    asked = [list(WANTED), list(LOADERS), [str(source) for source in sources]]
    key = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:16]
    world = _World(cache / "apt" / key, cache / "packages")
    if refresh or not world.record.is_file():
        world.prepare(sources)
        world.look_up()
    return world.read()


class _World:
    """An apt that sees nothing of this machine but the given sources, and an empty Debian to install to."""

    def __init__(self, folder: Path, archives: Path) -> None:
        self.folder = folder
        self.archives = archives
        self.nothing = folder / "nothing"
        self.record = folder / "packages.json"

    def prepare(self, sources: Sequence[Source]) -> None:
        for each in (self.folder / "lists", self.archives, self.nothing):
            (each / "partial").mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        lines = (f"deb [signed-by={KEYRING}] {source}\n" for source in sources)
        (self.folder / "sources.list").write_text("".join(lines))

    def look_up(self) -> None:
        """Choose, download and record; the record is written last."""
        self._apt_get("update", "--error-on=any")
        items = self._chosen(*WANTED, "?essential")
        lists = {"items": sorted(items), "loader": sorted(self._chosen(*LOADERS) - items)}
        content = {name: [asdict(package) for package in packages] for name, packages in lists.items()}
        self.record.with_suffix(".new").write_text(json.dumps({"date": self._date(), **content}, indent=1))
        self.record.with_suffix(".new").replace(self.record)

    def read(self) -> Packages:
        content = json.loads(self.record.read_text())
        items, loader = (tuple(Package(**each) for each in content[name]) for name in ("items", "loader"))
        missing = [each.file for each in items + loader if not (self.archives / each.file).is_file()]
        if missing:
            raise ImageNotBuilt(f"{self.archives}: {len(missing)} packages are gone ({missing[0]}...): use --refresh")
        return Packages(self.archives, content["date"], items, loader)

    def _chosen(self, *wanted: str) -> set[Package]:
        """These and all that they depend on, downloaded."""
        asked = ("--yes", "--quiet=2", *wanted)
        every = f"--option=Dir::Cache::archives={self.nothing}"  # apt names only those that it has not downloaded
        files = _FILE.findall(self._apt_get("install", every, "--print-uris", *asked))
        self._apt_get("install", "--download-only", *asked)
        return set(self._described(files))

    def _described(self, files: list[str]) -> Iterator[Package]:
        names = [f"{name}={version}" for name, version, _ in (unquote(file).split("_") for file in files)]
        stanzas = self._apt("apt-cache", "show", *names).strip().split("\n\n")
        known = {_identity(stanza): stanza for stanza in stanzas}
        for name, file in zip(names, files, strict=True):
            yield _package(known[name], file)

    def _date(self) -> int:
        releases = self.folder.glob("lists/*InRelease")
        dates = (re.search(r"^Date: (.*)$", release.read_text(), re.MULTILINE) for release in releases)
        return max(int(parsedate_to_datetime(found[1]).timestamp()) for found in dates if found)

    def _apt_get(self, *arguments: str) -> str:
        return self._apt("apt-get", *arguments)

    def _apt(self, program: str, *arguments: str) -> str:
        options = {
            "APT::Architecture": "amd64",
            "APT::Architectures": "amd64",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Dir::Cache": self.folder,
            "Dir::Cache::archives": self.archives,
            "Dir::Etc::sourcelist": self.folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State": self.folder,
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status",
        }
        return run([program, *(f"--option={name}={value}" for name, value in options.items()), *arguments])


def _fields(stanza: str) -> dict[str, Any]:
    return dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and not line.startswith(" "))


def _identity(stanza: str) -> str:
    fields = _fields(stanza)
    return f"{fields['Package']}={fields['Version']}"


def _package(stanza: str, file: str) -> Package:
    fields = _fields(stanza)
    own = "\n".join(f"Filename: ./{file}" if line.startswith("Filename: ") else line for line in stanza.splitlines())
    return Package(
        name=fields["Package"],
        version=fields["Version"],
        architecture=fields["Architecture"],
        file=file,
        size=int(fields["Size"]),
        sha256=fields["SHA256"],
        stanza=own + "\n",
    )
