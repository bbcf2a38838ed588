"""An apply whose Document the cloud did not let it take away: to its own process it is over, whatever ended it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from emulator.faults import Faults
from provision.applying.apply import apply
from provision.applying.holding import holding
from provision.declaring.reading import parse
from provision.errors import Busy, CloudChanged, CloudUnreachable, NotFinished
from provision.planning.plan import plan
from tests.provision.mortal import ONE_BRANCH

if TYPE_CHECKING:
    from provision.applying.take import Progress
    from tests.provision.conftest import Office

KEYS, APPLYING = "kongu.keys", "kongu.applying"
#: Branches with other networks of management.
OTHER = ("management: [10.20.0.0/24]", "management: [10.20.7.0/24]")


def documents(office: Office) -> list[str]:
    return sorted(node.name for node in office.found().pools.nodes["document"])


def fail_to_withdraw(office: Office) -> None:
    """Do all that is to be done, but for taking the Document away."""
    office.embedded.faults = Faults(["document.unlock:drop"])
    with pytest.raises(CloudUnreachable):
        office.apply()
    office.embedded.faults = Faults()
    assert APPLYING in documents(office)


def test_a_front_end_that_was_lost_meanwhile_locks_nobody_out(office: Office, example_text: str) -> None:
    office.apply()
    office.until_running()
    lost, text = office.folder / "state" / "lost", example_text.replace(*OTHER)

    def cut(_progress: Progress) -> None:
        lost.touch()

    with pytest.raises(CloudUnreachable):
        office.apply(text, on_progress=cut)
    lost.unlink()
    assert documents(office) == [APPLYING, KEYS]
    assert not office.apply(text).after
    assert documents(office) == [KEYS]


def test_it_is_cleared_away_where_nothing_is_left_to_do(office: Office) -> None:
    fail_to_withdraw(office)
    assert office.apply().steps == 0
    assert documents(office) == [KEYS]


def test_one_whose_id_was_never_learnt_is_over_as_well(office: Office) -> None:
    the_plan = office.plan()
    office.embedded.faults = Faults(["document.allocate:lost", "documentpool.info:drop"])
    with pytest.raises(CloudUnreachable):
        apply(office.desk, the_plan)
    office.embedded.faults = Faults()
    assert documents(office) == [APPLYING]
    assert not office.apply().after
    assert documents(office) == [KEYS]


def test_another_of_the_same_process_that_is_not_over_is_respected(office: Office, example_text: str) -> None:
    fail_to_withdraw(office)
    with holding(office.desk, "kongu", []):
        assert documents(office) == [APPLYING, KEYS], "the one that is over is gone"
        with pytest.raises(Busy, match="another admin applies"):
            office.apply(example_text.replace(*OTHER))
        assert office.apply().steps == 0
        assert documents(office) == [APPLYING, KEYS], "nobody clears away one that holds"
    assert documents(office) == [KEYS]


def test_what_it_was_to_undo_is_undone(office: Office) -> None:
    """A new branch fails, and the rollback as well."""
    apply(office.desk, plan(parse(ONE_BRANCH), office.found()))
    office.until_running()
    office.embedded.faults = Faults(["vn.allocate:2048", "group.delete:2048"])
    with pytest.raises(NotFinished, match="rolling back"):
        office.apply(rollback=True)
    office.embedded.faults = Faults()
    assert office.found().undoing == {"karur", "salem"}
    with pytest.raises(CloudChanged, match="a rollback that was interrupted is finished"):
        office.apply()
    assert sorted(office.found().view.groups) == ["erode"]
    assert documents(office) == [KEYS]
    assert not office.apply().after
