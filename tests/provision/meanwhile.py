"""What another admin does while one is at work, and what an appliance can open then."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from exchange import settings as all_settings
from exchange.folder import Folder
from provision.enrolling.enrolment import enrol
from tests.provision.reporting import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import BinaryIO

    from exchange.keys import BranchKeys
    from exchange.settings import Settings
    from tests.provision.conftest import Office


class Meanwhile(Folder):
    """The exchange of an admin who is slow: another one does something before each of the first settings is written."""

    def __init__(self, office: Office, *deeds: Callable[[], object]) -> None:
        super().__init__(office.exchange)
        self.deeds = list(deeds)

    @contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        if "/settings/" in f"/{name}" and self.deeds:
            self.deeds.pop(0)()
        with super().create(name) as file:
            yield file


def rekey(office: Office, keys: BranchKeys) -> None:
    """Another admin takes other keys of Erode's, by their fingerprint."""
    report(office, "erode", keys)
    enrol(office.desk, office.community, rekey={"erode": keys.public.fingerprint})


def told(office: Office, keys: BranchKeys) -> Settings:
    """What Erode's appliance can open."""
    community = office.found().keys
    assert community is not None
    return all_settings.latest(office.desk.store, "kongu", "erode", community.trusted, keys.seal).value
