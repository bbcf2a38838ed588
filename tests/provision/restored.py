"""An exchange that was restored from an older copy, and what the appliance says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.fleet.branch_status import statuses_of
from provision.fleet.health import Health, health_of
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from provision.fleet.branch_status import BranchStatus
    from tests.provision.conftest import Office


def status(office: Office) -> BranchStatus:
    (told,) = statuses_of(office.community, office.found())
    return told


def health(office: Office) -> Health:
    """What the appliance says of itself, however long it takes to answer."""
    answers: list[Health] = []

    def answered() -> bool:
        told = health_of(status(office).address, timeout_s=PATIENCE_S)
        answers.extend([told] if isinstance(told, Health) else [])
        return bool(answers)

    until(answered, "an answer")
    return answers[0]


def restored(office: Office) -> None:
    """The exchange loses all but the first version of each."""
    for file in (office.exchange / "community").rglob("[0-9]*"):
        if not file.name.startswith("0000000001"):
            file.unlink()
