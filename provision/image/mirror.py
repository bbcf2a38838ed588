"""Where Debian's packages come from: what the building machine's own apt is set up with."""

from __future__ import annotations

from dataclasses import dataclass

from provision.image.errors import ImageNotBuilt
from provision.image.tool import run

COMPONENT = "main"
SECURITY = "-security"
SUFFIXES = ("", "-updates", SECURITY)
FORMAT = "$(REPO_URI) $(CODENAME) $(COMPONENT)"


@dataclass(frozen=True, order=True)
class Source:
    """One line of a `sources.list`."""

    uri: str
    suite: str
    component: str = COMPONENT

    def __str__(self) -> str:
        return f"{self.uri} {self.suite} {self.component}"


def own_sources(suite: str) -> tuple[Source, ...]:
    """
    Debian's sources for a release, from this machine's apt; its own release may be another Debian.

    Raises
    ------
    ImageNotBuilt
        This machine's apt knows no Debian.
    """
    targets = run(["apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages", "Origin: Debian"])
    return sources_for(suite, targets.splitlines())


def sources_for(suite: str, targets: list[str]) -> tuple[Source, ...]:
    """The sources of a release, from lines `URI SUITE COMPONENT` of this machine's own.

    Raises
    ------
    ImageNotBuilt
        There is none to take the place from.
    """
    places: dict[str, str] = {}
    for uri, own_suite, component in (line.split(" ", 2) for line in targets if line):
        if component == COMPONENT:
            places.setdefault(_suffix(own_suite), uri)
    if "" not in places:
        raise ImageNotBuilt(
            "apt on this machine has no source of Debian's own packages: run apt-get update, or give --mirror URL"
        )
    return tuple(Source(places[suffix], suite + suffix) for suffix in SUFFIXES if suffix in places)


def sources_at(mirror: str, suite: str) -> tuple[Source, ...]:
    """The sources of a release at a mirror that carries `debian` and `debian-security` side by side."""
    root = mirror.rstrip("/")
    security = root.removesuffix("/debian") + "/debian-security"
    return tuple(Source(security if suffix == SECURITY else root, suite + suffix) for suffix in SUFFIXES)


def _suffix(suite: str) -> str:
    return next((suffix for suffix in SUFFIXES if suffix and suite.endswith(suffix)), "")
