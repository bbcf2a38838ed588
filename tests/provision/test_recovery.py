"""The road of docs/recovery.md: the only admin's identity is lost, and the recovery secret lets another one in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.keys import BranchKeys
from provision.enrolling.enrolment import enrol
from provision.enrolling.identity import own_identity
from provision.errors import NoIdentity
from provision.planning.found import found
from tests.provision.reporting import report

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provision.shell import Shell


def test_the_recovery_secret_lets_a_new_identity_in(
    shell: Shell,
    example_text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office, keys = shell.office, BranchKeys.generate()
    assert shell.run("apply", "--yes")[0] == 0
    report(office, "erode", keys)
    enrol(office.desk, office.community)
    lost, before = office.desk.identity, office.found()
    (secret,) = lost.path.parent.glob("recovery-kongu-*.txt")
    monkeypatch.setenv("GURNEY_IDENTITY", str(tmp_path / "new" / "identity.txt"))
    said = " ".join(shell.run("plan")[2].split())
    assert "Do it with the recovery secret: GURNEY_IDENTITY=FILE gurney apply" in said
    own_identity().keep()
    new = own_identity().recipient
    code, _, err = shell.run("plan")
    assert code == 4
    assert "Do it with the recovery secret: GURNEY_IDENTITY=FILE gurney apply" in " ".join(err.split())
    file = tmp_path / "community.yaml"
    file.write_text(example_text.replace("cloud:", f"admins: {{anita: {new}}}\n\ncloud:", 1))
    with monkeypatch.context() as safe:
        safe.setenv("GURNEY_IDENTITY", str(secret))
        code, _, err = shell.run("apply", "--yes", file=file)
        assert code == 0, err
    code, out, err = shell.run("plan", file=file)
    assert (code, "nothing to do" in out) == (0, True), err
    after = found(replace(office.desk, identity=own_identity()), "kongu")
    assert after.keys == before.keys
    assert after.view.published == before.view.published, "nobody enrols or is invited anew"
    with pytest.raises(NoIdentity):
        found(replace(office.desk, identity=lost), "kongu")
