"""Every command that asks takes a no for an answer, and says that nothing was changed."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

import cli.adopt
import cli.authority
import cli.branch
import cli.community
import cli.discarding
import cli.rehearse
from cli.consent import consent
from cli.main import exit_of
from tests.cli.command_tree import having

if TYPE_CHECKING:
    from types import ModuleType

ASKING = {
    ("apply",): cli.community,
    ("destroy",): cli.community,
    ("adopt",): cli.adopt,
    ("rehearse",): cli.rehearse,
    ("branch", "revoke"): cli.branch,
    ("branch", "authority"): cli.authority,
    ("branch", "discard-keys"): cli.discarding,
}


def test_every_command_that_can_be_told_yes_asks_in_the_same_way() -> None:
    assert set(having("--yes")) == set(ASKING)


@pytest.mark.parametrize("module", ASKING.values(), ids=[" ".join(each) for each in ASKING])
def test_each_asks_here(module: ModuleType) -> None:
    assert module.consent is consent


@pytest.mark.parametrize("as_json", [False, True])
def test_no(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    assert not consent("Revoke erode?", yes=False, as_json=as_json)
    out, err = capsys.readouterr()
    assert "Revoke erode? [y/N]" in err
    assert "Nothing was changed." in err
    assert json.loads(out or "null") == ({"changed": False} if as_json else None)


def test_yes_asks_nobody(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert consent("Revoke erode?", yes=True, as_json=True)
    assert capsys.readouterr() == ("", "")


def test_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    monkeypatch.setattr("cli.main.gurney.main", lambda **_: consent("Sure?", yes=False, as_json=True))
    assert exit_of(["apply", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "nobody can be asked here: say --yes"
