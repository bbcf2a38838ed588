"""A community of three branches over a real folder: erode may refer to salem and karur, both may refer back."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from exchange import directory as directories
from exchange import places
from exchange.community import CommunityKeys
from exchange.directory import Directory, DirectoryBranch
from exchange.folder import Folder
from exchange.keys import BranchKeys
from exchange.offers import Offer
from exchange.sending import send
from tests.exchange.road import NOW, kept, receive, referral

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.outgoing import Outgoing

BRANCHES = ("erode", "salem", "karur")


@dataclass
class Kongu:
    """What the admin and the three appliances hold between them."""

    root: Path
    exchange: Folder
    community: CommunityKeys
    recovery_secret: str
    keys: dict[str, BranchKeys]
    directory: Directory

    def outbox(self, branch: str) -> Folder:
        return Folder(self.root / places.outbox_of(branch))

    def files(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if not path.is_dir() or path.is_symlink())

    def changed(self, name: str, **changes: object) -> Directory:
        """The directory with one branch changed."""
        branches = tuple(
            replace(branch, **changes) if branch.name == name else branch  # type: ignore[arg-type]
            for branch in self.directory.branches
        )
        return replace(self.directory, version=self.directory.version + 1, branches=branches)


def entry(name: str, vm_id: int, keys: BranchKeys) -> DirectoryBranch:
    return DirectoryBranch(
        name=name, title=f"{name.title()} Town Hospital", ae_title=name.upper(), vm_id=vm_id, keys=keys.public
    )


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def kongu(tmp_path: Path) -> Kongu:
    root = tmp_path / "exchange"
    root.mkdir()
    exchange = Folder(root)
    places.prepare(exchange, BRANCHES)
    community, recovery_secret = CommunityKeys.generate()
    keys = {name: BranchKeys.generate() for name in BRANCHES}
    directory = Directory(
        community="kongu",
        version=1,
        issued=NOW - timedelta(days=1),
        expires=NOW + timedelta(days=364),
        branches=tuple(entry(name, number, keys[name]) for number, name in enumerate(BRANCHES)),
        referrals=(("erode", "salem"), ("erode", "karur"), ("salem", "erode"), ("karur", "erode"), ("karur", "salem")),
    )
    directories.publish(exchange, directory, community.sign)
    return Kongu(root, exchange, community, recovery_secret, keys, directory)


SIZES = (1500, 1500, 1500)


@pytest.fixture
def sent(kongu: Kongu, tmp_path: Path) -> Outgoing:
    """Erode has referred three instances, in three parcels of one size, to salem."""
    outgoing = referral(kongu.directory, kept(tmp_path / "archive", SIZES))
    send(kongu.outbox("erode"), outgoing, kongu.keys["erode"], kongu.directory)
    return outgoing


@pytest.fixture
def letter(kongu: Kongu, sent: Outgoing) -> Path:
    """Where it lies."""
    return kongu.outbox("erode").path / sent.folder


@pytest.fixture
def salem(kongu: Kongu, sent: Outgoing, tmp_path: Path) -> Callable[..., None]:
    """Salem receives the referral, expecting an error, and has nothing in its spool afterwards."""

    def receives(error: type[Exception], match: str | None = None, offer: Offer | None = None) -> None:
        spool = tmp_path / "spool"
        offer = offer or Offer("erode", sent.referral_id)
        with pytest.raises(error, match=match):
            receive(kongu.exchange, offer, "salem", kongu.keys["salem"], kongu.directory, spool)
        assert not any(spool.glob("*"))

    return receives
