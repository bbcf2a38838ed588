"""The command `gurney refer` against real pages."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from tests.appliance.hospital import PASSWORD, Hospital, ct, hospitals
from tests.appliance.refer_command import at, gurney
from tests.appliance.referring import exchanged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Iterator[tuple[Hospital, Hospital]]:
    folder: Path = tmp_path_factory.mktemp("two")
    with hospitals(folder, "erode", "salem") as (erode, salem):
        erode.accept_all().serve()
        for number in range(4):
            erode.keep(ct(f"ER-{number}", count=3))
        yield erode, salem


def test_it_follows_until_all_have_arrived(two) -> None:
    erode, salem = two
    stop = threading.Event()

    def go_on() -> None:
        while not stop.wait(0.2):
            erode.step()
            salem.step()

    moving = threading.Thread(target=go_on)
    moving.start()
    try:
        done = gurney(*at(erode))
    finally:
        stop.set()
        moving.join()
    assert (done.returncode, done.stdout) == (0, "3 of 3 images arrived at salem: arrived\n")
    again = gurney(*at(erode), "--json")
    assert again.returncode == 0
    assert (json.loads(again.stdout)["arrived"], again.stderr) == (3, "")


def test_what_is_not_taken_is_told_by_the_exit_code(two) -> None:
    """Salem has one of the images as its own patient's; the referral ends, and not all of it has arrived."""
    erode, salem = two
    study = ct("ER-8", count=2)
    erode.keep(study)
    salem.keep(study[:1])
    gurney(*at(erode, "ER-8"), "--no-wait")
    exchanged(erode, salem)
    done = gurney(*at(erode, "ER-8"))
    assert (done.returncode, done.stdout.startswith("1 of 2 images arrived")) == (6, True)
    assert "not all has arrived: 1 of 2 are kept here already, as images of another patient" in done.stderr


def test_it_need_not_wait(two, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    done = gurney(*at(two[0], "ER-2"), "--no-wait", "--json", "--password-file", str(secret), password=None)
    assert done.returncode == 0
    row = json.loads(done.stdout)
    assert (row["total"], row["arrived"], row["to"], row["state"]) == (3, 0, "salem", "prepared")


def test_it_gives_up_waiting_in_time_and_the_referral_goes_on(two) -> None:
    done = gurney(*at(two[0], "ER-3"), "--timeout", "1")
    assert done.returncode == 6
    assert "0 of 3" in done.stdout
    assert "goes on by itself" in done.stderr


@pytest.mark.parametrize(
    ("change", "password", "words"),
    [
        ({}, "wrong", "login or the password is wrong"),
        ({"--patient": "nobody"}, PASSWORD, "There is no patient nobody here."),
        ({"--to": "karur"}, PASSWORD, "karur is not in the directory"),
        ({"--login": "r.devi"}, PASSWORD, "Your role does not allow this."),
        ({"--at": "http://127.0.0.1:1"}, PASSWORD, "does not answer"),
    ],
)
def test_what_goes_wrong_is_one_line_and_exit_code_6(two, change: dict[str, str], password: str, words: str) -> None:
    asked = at(two[0], "ER-0")
    for option, value in change.items():
        asked[asked.index(option) + 1] = value
    done = gurney(*asked, password=password)
    assert done.returncode == 6
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_an_address_that_is_none_is_wrong_usage(two) -> None:
    asked = at(two[0], "ER-0")
    asked[asked.index("--at") + 1] = "nonsense"
    done = gurney(*asked)
    assert done.returncode == 2
    assert "'nonsense' is no address of a page" in done.stderr


def test_a_password_is_never_taken_from_the_command_line(two) -> None:
    assert gurney(*at(two[0]), "--password", PASSWORD).returncode == 2
