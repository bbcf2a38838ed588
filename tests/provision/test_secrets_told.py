"""Where a secret was written is told though the apply that wrote it does not end well, and the secret is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from threading import Event
from typing import TYPE_CHECKING

import pytest

from emulator.faults import Faults
from provision.errors import NotFinished
from tests.waiting import PATIENCE_S, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.provision.conftest import Office


class Held(Faults):
    """Calls of one method are on their way until they may go on."""

    def __init__(self, method: str) -> None:
        super().__init__()
        self._method, self.go_on = method, Event()

    def strike(self, method: str) -> frozenset[str]:
        """Nothing strikes."""
        if method == self._method:
            self.go_on.wait(PATIENCE_S)
        return frozenset()


@pytest.fixture
def with_eve(example_text: str) -> str:
    """The example, where a person of salem has an account."""
    return example_text.replace("staff: {dr.mala", "admins: {eve: {}}\n    staff: {dr.mala")


def secrets_of(office: Office) -> dict[str, str]:
    """Each file beside the admin's identity, and what it holds."""
    files = office.desk.identity.path.parent.iterdir()
    return {str(path): path.read_text() for path in files if path.name.startswith(("recovery-", "credential-"))}


def begin(office: Office, tmp_path: Path, text: str, *arguments: str) -> subprocess.Popen[str]:
    file = tmp_path / "community.yaml"
    file.write_text(text)
    options = ["-f", str(file), "--exchange", str(office.exchange), "--yes"]
    # With `nohup` around the tests SIGHUP would be ignored.
    command = ["env", "--default-signal=HUP", sys.executable, "-m", "cli", "apply", *options, *arguments]
    own = {**os.environ, **office.environment}
    return subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    "fault",
    ["template.instantiate:2048@1", "documentpool.info:drop@4", "document.allocate:lost@2", "user.update:2048@2"],
)
def test_an_apply_that_fails_says_where_the_secrets_lie(
    new_office: Callable[..., Office], with_eve: str, tmp_path: Path, fault: str, *, as_json: bool
) -> None:
    office = new_office(faults=(fault,))
    with begin(office, tmp_path, with_eve, *(["--json"] if as_json else [])) as apply:
        out, err = apply.communicate(timeout=300)
    assert apply.returncode != 0, out
    written = secrets_of(office)
    assert any("recovery-kongu" in path for path in written)
    said = "\n".join(json.loads(out)["notes"]) if as_json else out
    for path, secret in written.items():
        assert path in said
        for line in secret.splitlines():
            assert line.rpartition(":")[2] not in out + err


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_apply_that_is_told_to_end_says_so_too(
    new_office: Callable[..., Office], with_eve: str, tmp_path: Path, ending: signal.Signals
) -> None:
    office = new_office()
    office.embedded.faults = held = Held("template.instantiate")
    with begin(office, tmp_path, with_eve) as apply:
        until(lambda: len(secrets_of(office)) == 2, "both secrets")
        apply.send_signal(ending)
        held.go_on.set()
        out = apply.communicate(timeout=300)[0]
    assert apply.returncode == 130
    assert all(path in out for path in secrets_of(office))


def test_who_uses_the_library_finds_them_at_the_desk(new_office: Callable[..., Office], with_eve: str) -> None:
    office = new_office(faults=("template.instantiate:2048@1",))
    with pytest.raises(NotFinished):
        office.apply(with_eve)
    assert len(office.desk.notes) == 2
    assert all(any(path in note for note in office.desk.notes) for path in secrets_of(office))
    applied = office.apply(with_eve)
    assert not applied.after
    assert applied.notes == (), "they were told when they were written"
