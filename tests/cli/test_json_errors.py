"""What a program reads: with --json there is a document on standard output, also where a command fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.main import exit_of
from tests.cli.command_tree import having, least

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "community.yaml"
WITH_JSON = having("--json")

#: What fails at once where the least that a command needs is enough for it to begin.
FAILING = {
    ("demo",): ["demo", "nothing.dcm"],
    ("convert",): ["convert", "nothing.dcm", "-o", "out", "--layout", "{nonsense}"],
    ("appliance", "build"): ["appliance", "build", "-o", "out.qcow2", "--lock", "nothing.lock"],
    ("appliance", "upgrade"): ["appliance", "upgrade", "--image", "--all"],
}


@pytest.fixture
def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, Any, str]]:
    """Runs a command in an empty folder: its exit code, the one document on standard output, and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ONE_XMLRPC", raising=False)
    monkeypatch.setenv("GURNEY_IDENTITY", str(tmp_path))  # a folder
    monkeypatch.setenv("GURNEY_PASSWORD", "three blue kites over erode")

    def run(*words: str) -> tuple[int, Any, str]:
        code = exit_of(list(words))
        out, err = capsys.readouterr()
        return code, json.loads(out), err

    return run


def test_commands_with_json_are_found() -> None:
    assert {("plan",), ("status",), ("branch", "enrol"), ("appliance", "exec")} <= set(WITH_JSON)


@pytest.mark.parametrize("name", WITH_JSON, ids=" ".join)
def test_an_option_that_is_none(name: tuple[str, ...], said: Callable[..., tuple[int, Any, str]]) -> None:
    words = "--port=x" if name == ("appliance", "exec") else "--frobnicate"  # which takes what it does not know
    code, told, err = said(*name, words, "--json")
    assert code == 2
    assert told["error"]["kind"] == "UsageError"
    assert told["error"]["exit_code"] == 2
    assert words.partition("=")[0] in told["error"]["message"]
    assert told["error"]["message"] in err


@pytest.mark.parametrize("name", WITH_JSON, ids=" ".join)
def test_a_command_that_fails(name: tuple[str, ...], said: Callable[..., tuple[int, Any, str]]) -> None:
    code, told, err = said(*FAILING.get(name, least(name)), "--json")
    assert code not in {0, 1}
    assert set(told) == {"error"}
    assert told["error"]["exit_code"] == code
    assert re.fullmatch("[A-Z][A-Za-z]+", told["error"]["kind"])
    assert told["error"]["message"] in err


def test_without_json_there_are_words_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_of(["plan", "-f", str(tmp_path / "none.yaml")]) != 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "none.yaml" in err


def test_every_mistake_of_a_community_file_has_its_place(
    tmp_path: Path, said: Callable[..., tuple[int, Any, str]]
) -> None:
    text = EXAMPLE.read_text().replace("vlan: 101", "vlan: 9999").replace("ae_title: SALEM", "ae_title: ERODE")
    (tmp_path / "bad.yaml").write_text(text)
    code, told, _ = said("plan", "-f", "bad.yaml", "--json")
    assert (code, told["error"]["kind"], told["error"]["facts"]["source"]) == (3, "DeclarationError", "bad.yaml")
    mistakes = told["error"]["facts"]["problems"]
    assert [set(each) for each in mistakes] == [{"line", "column", "where", "words"}] * 2
    assert "vlan: 9999" in text.splitlines()[mistakes[0]["line"] - 1]


def test_a_file_that_is_not_dicom_is_named(tmp_path: Path, said: Callable[..., tuple[int, Any, str]]) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")
    code, told, _ = said("tags", "letter.txt", "--json")
    assert (code, told["error"]["facts"]["file"]) == (5, "letter.txt")


def test_words_after_two_dashes_are_another_s(said: Callable[..., tuple[int, Any, str]]) -> None:
    with pytest.raises(json.JSONDecodeError):
        said("appliance", "exec", "-f", "none.yaml", "--", "systemctl", "--json")


def test_a_bug_is_told_to_programs_and_keeps_its_traceback() -> None:
    program = "import cli.main\ncli.main.gurney.main = lambda **_: {}['x']\ncli.main.run(['plan', '--json'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["kind"] == "KeyError"
    assert "Traceback" in done.stderr


def test_a_ctrl_c_is_told_to_programs() -> None:
    program = (
        "import cli.main, signal\n"
        "cli.main.gurney.main = lambda **_: signal.raise_signal(signal.SIGINT)\n"
        "cli.main.run(['plan', '--json'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 130
    assert json.loads(done.stdout)["error"] == {
        "kind": "KeyboardInterrupt",
        "message": "Interrupted.",
        "exit_code": 130,
    }


def test_a_document_that_was_told_stays_the_only_one() -> None:
    """A command that did a part tells of it; that it failed, its exit code tells."""
    program = (
        "import cli.main\n"
        "from cli.console import print_json\n"
        "def part(**_):\n"
        "    print_json({'erode': 'done'})\n"
        "    raise FileNotFoundError(2, 'No such file or directory', 'salem')\n"
        "cli.main.gurney.main = part\n"
        "cli.main.run(['plan', '--json'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 8
    assert json.loads(done.stdout) == {"erode": "done"}
    assert "salem" in done.stderr
