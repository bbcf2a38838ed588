"""Where the front end is and how to log in: what is not said, or said wrongly, is wrong usage of every command."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import exit_of
from tests.cli.command_tree import having, least

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "community.yaml"
DESK = [each for each in having("--endpoint") if each != ("appliance", "upgrade")]
UPGRADE = ["appliance", "upgrade", "--image", "erode"]

LOGINS = {
    "missing": None,
    "empty": b"",
    "no colon": b"oneadmin\n",
    "no password": b"oneadmin:\n",
    "no name": b":secret\n",
    "two lines": b"oneadmin:secret\nsecond line",
    "no text": b"oneadmin:\xff\xfe",
}


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, and an admin who can log in somewhere."""
    (tmp_path / "one_auth").write_text("oneadmin:secret\n")
    monkeypatch.setenv("ONE_AUTH", str(tmp_path / "one_auth"))
    monkeypatch.setenv("ONE_XMLRPC", "http://127.0.0.1:9/RPC2")
    monkeypatch.setenv("GURNEY_IDENTITY", str(tmp_path / "identity.txt"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ended(words: list[str], office: Path) -> int:
    return int(exit_of([*words, "--file", str(EXAMPLE), "--exchange", str(office)]))


@pytest.mark.parametrize("words", [*(least(each) for each in DESK), UPGRADE], ids=" ".join)
def test_each_command_names_the_login_that_is_missing(
    words: list[str], office: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (office / "one_auth").unlink()
    assert ended(words, office) == 2
    assert f"there is no {office / 'one_auth'}" in capsys.readouterr().err


@pytest.mark.parametrize("words", [*(least(each) for each in DESK), UPGRADE], ids=" ".join)
def test_each_command_names_the_endpoint_that_is_none(
    words: list[str], office: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended([*words, "--endpoint", "front-end:2633"], office) == 2
    assert "'front-end:2633' is no address of an XML-RPC API" in capsys.readouterr().err


@pytest.mark.parametrize("content", LOGINS.values(), ids=LOGINS)
def test_a_login_that_is_none(content: bytes | None, office: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = office / "one_auth"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert ended(["plan"], office) == 2
    said = capsys.readouterr().err
    assert str(path) in said
    assert "set $ONE_AUTH to a file with name:password" in said
    assert "secret" not in said


def test_a_folder_instead_of_a_login(
    office: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONE_AUTH", str(office))
    assert ended(["plan"], office) == 2
    assert f"{office} cannot be read: Is a directory" in capsys.readouterr().err
