"""Visits over SSH to a real sshd: by pinned host keys only, several at once, one failing alone."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.errors import ProvisionError
from provision.visit.bundle import COMMANDS, write_bundle
from provision.visit.errors import NotServing, NotUpgraded
from provision.visit.host_keys import HostKey, HostKeys, StrangeHost
from provision.visit.rounds import visit_all, visit_in_turn
from provision.visit.shell import Machine, NotVisited, Said, shell_in
from provision.visit.upgrade import CutOff
from tests.exchange.sshd import free_port, keygen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from provision.visit.shell import Shell

ERODE = HostKey("ssh-ed25519", "AAAA")
SALEM = HostKey("ssh-ed25519", "BBBB")


def test_key_that_was_compared_is_known_from_then_on(tmp_path: Path) -> None:
    keys = HostKeys(tmp_path / "new" / "hosts")
    with pytest.raises(StrangeHost, match="nobody has compared"):
        keys.check("kongu.erode", ERODE)
    with pytest.raises(StrangeHost, match="another machine"):
        keys.check("kongu.erode", ERODE, SALEM.fingerprint)
    assert keys.of("kongu.erode") is None
    keys.check("kongu.erode", ERODE, ERODE.fingerprint)
    keys.check("kongu.salem", SALEM, SALEM.fingerprint)
    keys.check("kongu.erode", ERODE)
    with pytest.raises(StrangeHost, match="is known by"):
        keys.check("kongu.erode", SALEM)
    keys.check("kongu.erode", SALEM, SALEM.fingerprint)
    assert keys.path.read_text().splitlines() == ["kongu.salem ssh-ed25519 BBBB", "kongu.erode ssh-ed25519 BBBB"]


def test_processes_that_keep_keys_at_once_lose_none(tmp_path: Path) -> None:
    keep = (
        "import sys; from pathlib import Path; from provision.visit.host_keys import HostKey, HostKeys\n"
        "key, keys = HostKey('ssh-ed25519', 'AAAA'), HostKeys(Path(sys.argv[1]))\n"
        "for number in range(100): keys.check(f'kongu.{sys.argv[2]}-{number}', key, key.fingerprint)"
    )
    command = [sys.executable, "-c", keep, str(tmp_path / "hosts")]
    writers = [subprocess.Popen([*command, name]) for name in ("one", "two", "three")]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    kept = {line.split()[0] for line in (tmp_path / "hosts").read_text().splitlines()}
    assert kept == {f"kongu.{name}-{number}" for name in ("one", "two", "three") for number in range(100)}


def test_command_is_run_and_its_words_and_code_come_back(machine: Machine) -> None:
    with shell_in(machine) as shell:
        assert shell.run("echo out; echo err >&2; exit 3") == Said(3, "out\n", "err\n")
        assert shell.run("cat") == Said(0, "", "")
    with shell_in(replace(machine, compared="")) as shell:
        assert shell.run("true").code == 0


def test_machine_that_was_never_compared_is_not_visited(machine: Machine) -> None:
    with pytest.raises(StrangeHost, match="nobody has compared"), shell_in(replace(machine, compared="")):
        pass
    other = "SHA256:" + "A" * 43
    with pytest.raises(StrangeHost, match="another machine"), shell_in(replace(machine, compared=other)):
        pass
    assert not machine.host_keys.path.exists()


def test_machine_that_does_not_answer_or_let_in_is_told(machine: Machine, tmp_path: Path) -> None:
    strange = replace(machine, identity=keygen(tmp_path / "strange"))
    with pytest.raises(NotVisited, match="does not accept your key"), shell_in(strange):
        pass
    with pytest.raises(NotVisited, match=r"kongu\.erode at 127\.0\.0\.1"), shell_in(replace(machine, port=free_port())):
        pass


def test_key_that_cannot_be_used_is_told_from_one_that_is_not_accepted(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"\xff\xfe\x00 no key")
    (tmp_path / "empty").touch()
    assert machine.identity is not None
    for path in (tmp_path / "image", tmp_path / "empty", machine.identity.with_suffix(".pub")):
        said = f"^{re.escape(str(path))} holds no private key"
        with pytest.raises(NotVisited, match=said), shell_in(replace(machine, identity=path)):
            pass
    with pytest.raises(NotVisited, match="Is a directory"), shell_in(replace(machine, identity=tmp_path)):
        pass


def test_key_with_a_passphrase_is_left_to_the_agent(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / ".ssh" / "id_ed25519"
    key.parent.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "a long one", "-f", key], check=True)
    with pytest.raises(NotVisited, match=r"has a passphrase.*ssh-add"), shell_in(replace(machine, identity=key)):
        pass
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with pytest.raises(NotVisited, match=r"has a passphrase.*ssh-add"), shell_in(replace(machine, identity=None)):
        pass
    key.write_bytes(b"\xff\xfe\x00 no key")
    with pytest.raises(NotVisited, match=r"kongu\.erode: a private key in"), shell_in(replace(machine, identity=None)):
        pass


def test_several_are_visited_side_by_side(machine: Machine, tmp_path: Path) -> None:
    """Each waits for the others: one after the other they would never end."""
    names = ["kongu.erode", "kongu.karur", "kongu.salem"]
    present = f"touch {tmp_path}/$$.here; until [ $(ls {tmp_path}/*.here | wc -l) = {len(names)} ]; do sleep 0.05; done"
    visits = visit_all([replace(machine, name=name) for name in names], lambda shell: shell.run(present).code)
    assert visits.answers == dict.fromkeys(names, 0)


def test_one_that_fails_does_not_stop_the_others(machine: Machine) -> None:
    machines = [replace(machine, name="kongu.away", port=free_port()), machine]
    visits = visit_all(machines, lambda shell: shell.run("echo here").out)
    assert visits.answers == {"kongu.erode": "here\n"}
    with pytest.raises(NotVisited, match=r"kongu\.away"):
        visits.check()


def test_bundle_holds_an_answer_to_every_question(machine: Machine, tmp_path: Path) -> None:
    target = tmp_path / "erode.tar.gz"
    with shell_in(machine) as shell:
        write_bundle(shell, "erode", target)
    with tarfile.open(target) as bundle:
        assert bundle.getnames() == [f"erode/{name}.txt" for name in COMMANDS]
        versions = bundle.extractfile("erode/versions.txt")
        assert versions is not None
        assert versions.read().startswith(b"$ cat /etc/os-release")
    assert list(tmp_path.glob(".*.part")) == []


def test_bundle_asks_for_nothing_that_names_a_patient_or_a_secret() -> None:
    for words in ("smbd", "token.txt", "shared", "index.sqlite", "smb-accounts", "/keys"):
        asked = [command for command in COMMANDS.values() if words in command]
        assert not [command for command in asked if words != "smbd" or "journalctl" in command], words


def test_in_turn_one_that_fails_does_not_stop_the_others(machine: Machine) -> None:
    away = replace(machine, name="kongu.away", port=free_port())
    machines = [machine, away, replace(machine, name="kongu.salem", compared=machine.compared)]
    told: list[tuple[str, str]] = []

    def visit(shell: Shell, tell: Callable[[str], None]) -> str:
        tell("looks")
        if shell.name == "kongu.erode":
            raise NotUpgraded("rolled back to 0.1.0, which answers")
        return shell.run("echo here").out

    visits = visit_in_turn(machines, visit, lambda name, words: told.append((name, words)))
    assert visits.answers == {"kongu.salem": "here\n"}
    assert (list(visits.failures), visits.left) == (["kongu.erode", "kongu.away"], ())
    assert told[:2] == [("kongu.erode", "connected"), ("kongu.erode", "looks")]
    with pytest.raises(NotVisited, match=r"(?s)kongu\.erode: rolled back.*kongu\.away at "):
        visits.check()


@pytest.mark.parametrize("failure", [NotServing("does not answer either"), CutOff("the connection broke")])
def test_in_turn_one_that_is_left_not_serving_ends_it_unless_told_to_keep_going(
    machine: Machine, failure: ProvisionError
) -> None:
    machines = [replace(machine, name=f"kongu.{name}") for name in ("erode", "salem", "karur")]

    def visit(shell: Shell, _tell: Callable[[str], None]) -> str:
        if shell.name == "kongu.salem":
            raise failure
        return shell.run("echo here").out

    some = visit_in_turn([replace(each, compared=machine.compared) for each in machines], visit)
    assert (list(some.answers), list(some.failures)) == (["kongu.erode"], ["kongu.salem"])
    assert some.left == ("kongu.karur",)
    with pytest.raises(ProvisionError, match=r"(?s)kongu\.salem: .*kongu\.karur: left as it was"):
        some.check()
    whole = visit_in_turn(machines, visit, keep_going=True)
    assert list(whole.answers) == ["kongu.erode", "kongu.karur"]
    assert (list(whole.failures), whole.left) == (["kongu.salem"], ())


def test_refusal_of_an_upgrade_says_whose_it_is(machine: Machine) -> None:
    def visit(_shell: Shell, _tell: Callable[[str], None]) -> str:
        raise NotUpgraded("too old")

    with pytest.raises(NotUpgraded, match=r"kongu\.erode: too old"):
        visit_in_turn([machine], visit).check()


def test_command_reads_what_it_is_given_and_tells_line_by_line(machine: Machine) -> None:
    content = bytes(range(256)) * 20_000
    with shell_in(machine) as shell:
        assert shell.run("sha256sum", content).out.split()[0] == hashlib.sha256(content).hexdigest()
        assert shell.run("exit 4", content).code == 4
        assert list(shell.lines("echo one; echo two >&2; sleep 0.1; echo three")) == ["one", "two", "three"]
        with pytest.raises(NotVisited, match="ended before"), shell_in(machine) as other:
            list(other.lines("echo begun; kill -9 $PPID"))


def test_command_that_falls_silent_is_ended(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.visit.shell.SILENT_S", 10.0)
    with shell_in(machine) as shell:
        talking = shell.run("for each in $(seq 24); do sleep 0.5; echo $each; done")  # no word in 10 s ends it
        assert (talking.code, talking.out.split()) == (0, [str(number) for number in range(1, 25)])
    monkeypatch.setattr("provision.visit.shell.SILENT_S", 2.0)
    monkeypatch.setattr("provision.visit.shell.SILENT_LINES_S", 2.0)
    with pytest.raises(NotVisited, match=r"kongu\.erode at .*said nothing for 2 s"), shell_in(machine) as shell:
        shell.run("sleep 60")
    with pytest.raises(NotVisited, match="said nothing for 2 s"), shell_in(machine) as shell:
        list(shell.lines("echo begun; sleep 60"))


def test_command_that_says_too_much_is_ended(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("provision.visit.shell.MOST", 100_000)
    for command in ("yes", "yes >&2", "tr '\\0' x </dev/zero"):
        with pytest.raises(NotVisited, match="more than 100000 bytes"), shell_in(machine) as shell:
            shell.run(command)
        with pytest.raises(NotVisited, match="more than 100000 bytes"), shell_in(machine) as shell:
            list(shell.lines(command))
