"""Slips of the pen: a name that no branch has, a variable that is not set, a folder that is not there."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from cli.main import exit_of, gurney
from cli.page_address import is_readable_on_the_way
from tests.cli.command_tree import having, least

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "community.yaml"
NAMING = [
    ["appliance", "exec", "-b", "nobody", "true"],
    ["appliance", "logs", "nobody"],
    ["appliance", "ssh", "nobody"],
    ["appliance", "console", "nobody"],
    ["appliance", "support-bundle", "nobody"],
    ["appliance", "upgrade", "--image", "nobody"],
    ["credential", "nobody", "anbu"],
]


@pytest.fixture(autouse=True)
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A front end that nobody asks."""
    (tmp_path / "one_auth").write_text("oneadmin:secret\n")
    monkeypatch.setenv("ONE_AUTH", str(tmp_path / "one_auth"))
    monkeypatch.setenv("ONE_XMLRPC", "http://127.0.0.1:9/RPC2")
    monkeypatch.setenv("GURNEY_IDENTITY", str(tmp_path / "identity.txt"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", NAMING, ids=" ".join)
def test_a_branch_that_is_not_declared(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["-f", str(EXAMPLE), "--exchange", str(tmp_path)]
    place = 2 if words[0] == "appliance" else 1
    assert exit_of([*words[:place], *options, *words[place:]]) == 2
    assert "declares no branch 'nobody'; there are erode, salem, karur" in capsys.readouterr().err


@pytest.mark.parametrize(("slip", "meant"), [("paln", "plan"), ("statsu", "status"), ("branch lsit", "list")])
def test_a_command_that_is_none_is_told_with_those_like_it(
    slip: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_of(slip.split()) == 2
    said = capsys.readouterr().err.partition("Did you mean")
    assert f"No such command '{slip.split()[-1]}'" in said[0]
    assert f"'{meant}'" in said[2]


@pytest.mark.parametrize("option", ["--endpoint", "--exchange"])
@pytest.mark.parametrize("name", having("--endpoint"), ids=" ".join)
def test_an_empty_text_is_nobody_s_default(
    name: tuple[str, ...], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """As of a variable that is not set: the cloud of the environment would be taken."""
    assert exit_of([*least(name), option, ""]) == 2
    assert f"Invalid value for '{option}': it is empty" in capsys.readouterr().err


def test_an_image_that_could_not_be_written_is_told_before_it_is_built(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(["appliance", "build", "-o", "nowhere/appliance.qcow2"]) == 2
    assert "nothing can be written to nowhere" in capsys.readouterr().err
    assert [path.name for path in Path.cwd().iterdir()] == ["one_auth"]


@pytest.mark.parametrize("group", ["branch", "appliance"])
def test_the_help_of_a_group_cuts_no_sentence(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_of([group, "--help"])
    listed = " ".join(capsys.readouterr().out.partition("Commands:")[2].split())
    assert "..." not in listed
    command = gurney.get_command(click.Context(gurney), group)
    assert isinstance(command, click.Group)
    for each in command.commands.values():
        assert " ".join((each.help or "").split()).partition(". ")[0].rstrip(".") in listed


REFER = ["refer", "--patient", "1", "--to", "salem", "--login", "dr.anbu", "--at"]
ADDRESSES = ["10.20.1.10", "http://", "http://[::1", "https://10.20.1.10:99999", "https://10.20.1.10:x", "ftp://erode",
             "https://erode hospital", "https://erode\n", "https://dr.anbu:secret@10.20.1.10"]  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_no_page_has(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of([*REFER, address]) == 2
    said = capsys.readouterr().err
    assert "Invalid value for '--at'" in said
    assert "is no address of a page" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "there is no password"), (b"\r\nsecond", "there is no password"), (b"\xff\xfe\x00", "is no text")],
)
def test_a_file_without_a_password(
    content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "password").write_bytes(content)
    assert exit_of([*REFER, "http://127.0.0.1:9", "--password-file", str(tmp_path / "password")]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "readable"),
    [
        ("http://127.0.0.1:8080", False),
        ("http://[::1]", False),
        ("http://localhost:8080", False),
        ("https://erode.example", False),
        ("http://10.20.1.10", True),
        ("http://127.evil.example", True),
        ("http://localhost.example", True),
    ],
)
def test_whoever_is_on_the_way_can_read(address: str, *, readable: bool) -> None:
    assert is_readable_on_the_way(address) is readable
