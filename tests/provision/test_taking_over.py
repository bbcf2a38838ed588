"""What another admin's dead apply holds up can be taken over from by the very command that advises it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from provision.planning.resource import Ref
from tests.provision.certified import with_certificates
from tests.provision.mortal import announced

if TYPE_CHECKING:
    from tests.provision.conftest import Office
    from tests.provision.shell import Shell

ADVICE = "another admin applies: anita"


def holders(office: Office) -> list[str]:
    return [node.name for node in office.found().pools.nodes["document"] if node.name == "kongu.applying"]


@pytest.fixture
def held(shell: Shell) -> Shell:
    """The shell of an admin whose community another one holds who died elsewhere."""
    with_certificates(shell.office)
    shell.office.until_running()
    announced(shell.office, "another")
    return shell


@pytest.mark.parametrize(
    "command",
    [
        ("branch", "authority", "--announce"),
        ("branch", "authority", "--replace", "--yes"),
        ("branch", "discard-keys", "--yes"),
        ("destroy", "--yes", *(f"--allow-destroy={name}" for name in ("erode", "salem", "karur"))),
    ],
    ids=lambda command: " ".join(command[:3]),
)
def test_who_is_told_to_take_over_can(held: Shell, command: tuple[str, ...]) -> None:
    code, _, err = held.run(*command)
    assert (code, ADVICE in err, "use --take-over" in err) == (4, True, True), err
    assert holders(held.office) == ["kongu.applying"], "nothing is taken over from somebody who may live"
    code, _, err = held.run(*command, "--take-over")
    assert code == 0, err
    assert holders(held.office) == []


def test_who_adopts_too(shell: Shell) -> None:
    announced(shell.office, "another")
    text = 'NAME="brought"\nTYPE="OS"\nPATH="/var/tmp/gurney-appliance.qcow2"'
    number = shell.office.raw("image.allocate", text, 1)
    code, _, err = shell.run("adopt", "appliance-image", "brought", "--yes")
    assert (code, "use --take-over" in err) == (4, True), err
    code, _, err = shell.run("adopt", "appliance-image", "brought", "--yes", "--take-over")
    assert code == 0, err
    assert number in {each.id for ref, each in shell.office.found().resources.items() if ref.kind == "appliance-image"}
    assert holders(shell.office) == []


def test_what_is_only_shown_takes_nobody_s_place(held: Shell) -> None:
    code, _, err = held.run("branch", "authority", "--take-over")
    assert (code, "--take-over goes with --announce or --replace" in err) == (2, True), err
    assert held.run("branch", "authority")[0] == 0, "and waits for nobody"
    assert holders(held.office) == ["kongu.applying"]


def test_what_is_played_says_which_command_takes_over(shell: Shell) -> None:
    """Before anything is lost: the archive would stay lost until somebody applies."""
    shell.office.apply()
    before = shell.office.found().resources[Ref("archive", "salem")].id
    announced(shell.office, "another")
    state = str(shell.office.folder / "state")
    code, _, err = shell.run("rehearse", "--play", "archive=salem", "--state", state, "--yes")
    assert (code, "nothing was played" in err) == (4, True), err
    assert "use --take-over with `gurney apply`" in " ".join(err.split())
    assert shell.office.found().resources[Ref("archive", "salem")].id == before
    assert shell.run("apply", "--yes", "--take-over")[0] == 0
    assert shell.run("rehearse", "--play", "archive=salem", "--state", state, "--yes")[0] == 0
