"""The command `gurney appliance upgrade`: whose place it takes, and what it tells programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cli.upgrade import show
from provision.visit.errors import NotServing, NotUpgraded
from provision.visit.rounds import Round
from provision.visit.shell import NotVisited
from provision.visit.upgrade import UPGRADED, CutOff, Upgraded
from tests.provision.mortal import announced
from tests.provision.moving import IMAGE, NEXT, move
from tests.provision.upgrade.test_image_upgrade import applying

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from provision.declaring.community import Community
    from tests.provision.shell import Shell


def test_programs_are_told_which_failed_branch_serves(capsys: pytest.CaptureFixture[str]) -> None:
    failures = {
        "kongu.erode": NotVisited("it cannot be reached"),
        "kongu.salem": NotUpgraded("rolled back"),
        "kongu.karur": NotServing("it is dead"),
        "kongu.hosur": CutOff("the line broke"),
    }
    left = Upgraded("left", "a", "a", "it is revoked")
    answers = {"kongu.namakkal": Upgraded(UPGRADED, "a", "b"), "kongu.gobi": left}
    show(Round(answers, failures, ("kongu.omalur",)), None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name]["serves_as_before"] for name in failures} == {
        "kongu.erode": True,
        "kongu.salem": True,
        "kongu.karur": False,
        "kongu.hosur": False,
    }
    assert {name: told[name]["outcome"] for name in told.keys() - failures.keys()} == {
        "kongu.namakkal": "upgraded",
        "kongu.gobi": "left",
        "kongu.omalur": "not tried",
    }


def test_another_admin_who_is_dead_is_taken_over_from(
    shell: Shell,
    moved: Community,
    example_text: str,
    tmp_path: Path,
) -> None:
    """Also where an apply has nothing to do that could be done now: it would move all branches at once."""
    file = tmp_path / "next.yaml"
    file.write_text(example_text.replace(IMAGE, NEXT))
    move(shell.office, moved, ["salem"])
    announced(shell.office, "another")
    command = ("appliance", "upgrade", "--image", "--port", "9", "--json", "erode")
    code, out, err = shell.run(*command, file=file)
    assert (code, json.loads(out)["kongu.erode"]["serves_as_before"]) == (6, True)
    assert "nothing was stopped: another admin applies: anita" in err
    assert "use --take-over" in err
    code, out, err = shell.run(*command, "--take-over", file=file)
    assert (code, "another admin" in err) == (4, False), err  # nobody listens at that port
    assert applying(shell.office) == []


def test_a_wheel_waits_for_no_other_admin(shell: Shell, tmp_path: Path) -> None:
    wheel = tmp_path / "gurney-0.2.0-py3-none-any.whl"
    wheel.touch()
    code, _, err = shell.run("appliance", "upgrade", "--wheel", str(wheel), "--all", "--take-over")
    assert (code, "--take-over goes with --image" in err) == (2, True)
