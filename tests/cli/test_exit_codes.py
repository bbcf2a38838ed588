"""What goes wrong ends in one clear line on standard error, a documented exit code, and no traceback."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom.data import get_testdata_file

from cli.failure import EXIT_CODES as CODE_OF_ERROR
from cli.main import COMMANDS, EXIT_CODES
from cli.output_closed import OutputClosed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "community.yaml"
CT = Path(str(get_testdata_file("CT_small.dcm", download=False)))
GURNEY = (sys.executable, "-m", "cli")


def gurney(
    *arguments: str, environment: Mapping[str, str] | None = None, before: Sequence[str] = (), folder: Path = ROOT
) -> tuple[int, str]:
    """The exit code and what was said on standard error."""
    done = subprocess.run(
        [*before, *GURNEY, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


@pytest.fixture
def taken_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.fixture
def login(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "one_auth").write_text("oneadmin:secret")
    return {"ONE_AUTH": str(tmp_path / "one_auth"), "GURNEY_IDENTITY": str(tmp_path / "identity.txt")}


def test_every_code_is_documented() -> None:
    documented = {int(code) for code in re.findall(r"^  (\d+)", EXIT_CODES, re.MULTILINE)}
    assert documented == {0, 1, 2, 130, OutputClosed.exit_code, *CODE_OF_ERROR.values()}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    done = subprocess.run([*GURNEY, command, "--help"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.startswith(f"Usage: gurney {command}")


@pytest.mark.parametrize("group", ["branch", "appliance"])
def test_a_group_says_of_itself_what_the_list_of_commands_says(group: str) -> None:
    done = subprocess.run([*GURNEY, group, "--help"], capture_output=True, text=True, check=True, cwd=ROOT)
    assert f" {COMMANDS[group].help} Options:" in " ".join(done.stdout.split())


def test_an_unknown_command_is_wrong_usage() -> None:
    assert gurney("frobnicate")[0] == 2


def test_a_bad_community_file_tells_every_mistake_with_its_line(tmp_path: Path, login: dict[str, str]) -> None:
    text = EXAMPLE.read_text().replace("vlan: 101", "vlan: 9999").replace("ae_title: SALEM", "ae_title: ERODE")
    (tmp_path / "bad.yaml").write_text(text)
    code, said = gurney("plan", "-f", str(tmp_path / "bad.yaml"), "--exchange", str(tmp_path), environment=login)
    assert code == 3
    assert len(re.findall(r"line \d+, column \d+", said)) == 2


def test_a_missing_community_file(tmp_path: Path) -> None:
    code, said = gurney("plan", "-f", str(tmp_path / "none.yaml"))
    assert code == 8
    assert "none.yaml" in said


def test_a_cloud_that_is_down(tmp_path: Path, login: dict[str, str]) -> None:
    with socket.socket() as taken:  # nobody listens there, and nobody else can begin to
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}/RPC2"
        code, said = gurney(
            "plan", "-f", str(EXAMPLE), "--exchange", str(tmp_path), environment={**login, "ONE_XMLRPC": endpoint}
        )
    assert code == 4
    assert endpoint in said
    assert "secret" not in said


def test_a_busy_port_of_the_embedded_cloud(tmp_path: Path, taken_port: int) -> None:
    ports = ("--port", str(taken_port), "--onegate-port", "0")  # the next one, by default, may be taken as well
    code, said = gurney("emulator", "--state", str(tmp_path), *ports, "--driver", "none")
    assert code == 9
    assert str(taken_port) in said
    assert len(said.strip().splitlines()) == 1


@pytest.mark.parametrize("wrong", [("--patient", " "), ("--at", "127.0.0.1"), ("--ca", __file__)])
def test_a_referral_that_is_asked_for_wrongly(wrong: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("three blue kites over erode")
    given = {"--patient": "1", "--to": "salem", "--at": "http://127.0.0.1:9", "--login": "dr.anbu"} | dict([wrong])
    words = [word for option in given.items() for word in option]
    code, said = gurney("refer", *words, "--password-file", str(tmp_path / "password"))
    assert code == 2
    assert wrong[0] in said


def test_a_file_that_is_not_dicom(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")
    code, said = gurney("convert", str(tmp_path / "letter.txt"), "-o", str(tmp_path / "out"))
    assert code == 5
    assert "letter.txt" in said


def test_tags_of_a_file_that_is_not_dicom(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear colleague")
    code, said = gurney("tags", str(tmp_path / "letter.txt"))
    assert code == 5
    assert "letter.txt" in said


SWALLOWING = """
import signal, time
import cli.main

class Deaf:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def works_on(**_options):
    Deaf()
    time.sleep(300)

cli.main.gurney.main = works_on
cli.main.run()
"""


def test_a_ctrl_c_that_the_interpreter_swallows_comes_again() -> None:
    """As in an import's lock: an exception in a destructor is ignored by Python, and the command went on."""
    done = subprocess.run([sys.executable, "-c", SWALLOWING], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stderr) == (130, "Interrupted.\n")


def test_a_full_disk(tmp_path: Path) -> None:
    """On a file system of 4 KiB, in a mount namespace of its own."""
    full = tmp_path / "full"
    full.mkdir()
    mount = f'mount -t tmpfs -o size=4k none {full} && exec "$@"'
    before = ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh")
    code, said = gurney("convert", str(CT), "-o", str(full / "out"), before=before)
    assert code in {5, 8}
    assert "No space left" in said


def test_an_appliance_that_is_not_there(tmp_path: Path) -> None:
    code, said = gurney(
        *("refer", "--patient", "1", "--to", "salem", "--at", "http://127.0.0.1:9", "--login", "dr.anbu"),
        environment={"GURNEY_PASSWORD": "correct horse battery"},
    )
    assert code == 6
    assert "127.0.0.1:9" in said
    assert "correct horse" not in said


def test_a_password_that_nobody_can_be_asked_for() -> None:
    """Without a terminal, as in a job: in a session of its own."""
    code, said = gurney(
        *("refer", "--patient", "1", "--to", "salem", "--at", "http://127.0.0.1:9", "--login", "dr.anbu"),
        before=("setsid", "--wait"),
    )
    assert code == 2
    assert "--password-file" in said
    assert "GetPassWarning" not in said


@pytest.mark.parametrize(
    "arguments", [("verify", "--evidence", "/nonexistent/e"), ("status", "--prometheus", "/nonexistent/p")]
)
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_done(arguments: tuple[str, ...]) -> None:
    code, said = gurney(*arguments, "-f", str(EXAMPLE))
    assert code == 2
    assert arguments[1] in said
    assert "nothing can be written to /nonexistent" in said


def test_an_unknown_kind_of_exchange(login: dict[str, str]) -> None:
    code, said = gurney(
        "plan",
        "-f",
        str(EXAMPLE),
        "--exchange",
        "ftp://x/y",
        "--endpoint",
        "http://127.0.0.1:9/RPC2",
        environment=login,
    )
    assert code == 7
    assert "one of file, sftp, s3, gs, az://" in said


def test_a_bucket_that_is_none_is_told_in_one_line(login: dict[str, str]) -> None:
    """Without the insides of the library in Rust, which stand in the lines below."""
    address = ("--exchange", "s3://", "--endpoint", "http://127.0.0.1:9/RPC2")
    code, said = gurney("plan", "-f", str(EXAMPLE), *address, environment=login)
    assert (code, len(said.strip().splitlines())) == (7, 1), said
    assert "s3:// cannot be used" in said


def test_a_context_that_is_not_there(tmp_path: Path) -> None:
    code, said = gurney("appliance", "run", "--context", str(tmp_path), "--archive", str(tmp_path / "archive"))
    assert code == 6
    assert str(tmp_path) in said
