"""Replacing root disks takes up who reports, and shows the invitations that this makes, however it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from exchange import settings as all_settings
from exchange.keys import BranchKeys
from tests.provision.moving import IMAGE, NEXT, with_next_image
from tests.provision.reporting import report
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.provision.conftest import Office
    from tests.provision.shell import Shell

PEOPLE = {"dr.anbu", "r.devi"}


def prepared(office: Office, text: str, tmp_path: Path) -> tuple[Path, BranchKeys]:
    """A community file with another image, and the keys that one branch reports and nobody has taken up."""
    with_next_image(office, text)
    keys = BranchKeys.generate()
    report(office, "erode", keys)
    file = tmp_path / "next.yaml"
    file.write_text(text.replace(IMAGE, NEXT))
    return file, keys


def check(office: Office, keys: BranchKeys, codes: Mapping[str, str]) -> None:
    """These are the codes with which people come in."""
    community = office.found().keys
    assert community is not None
    told = all_settings.latest(office.desk.store, "kongu", "erode", community.trusted, keys.seal).value
    invited = {member.login: member.invitation for member in told.staff}
    assert invited.keys() == codes.keys() == PEOPLE
    for login, invitation in invited.items():
        assert invitation is not None
        assert invitation.accepts(codes[login], datetime.now(UTC)), login


def in_table(out: str) -> dict[str, str]:
    """Login to code."""
    lines = (line.split() for line in out.splitlines() if line.strip().startswith("erode"))
    return {words[1]: words[3] for words in lines}


@pytest.mark.parametrize("as_json", [True, False])
def test_codes_are_shown_though_no_machine_is_reached(
    shell: Shell,
    example_text: str,
    tmp_path: Path,
    *,
    as_json: bool,
) -> None:
    file, keys = prepared(shell.office, example_text, tmp_path)
    words = ("upgrade", "--image", "--port", "9", "erode", *(["--json"] if as_json else []))
    code, out, err = shell.run("appliance", *words, file=file)
    assert code == 4, err
    if as_json:
        told = json.loads(out)
        assert told["kongu.erode"]["outcome"] == "failed"
        codes = {each["login"]: each["code"] for each in told["invitations"]}
    else:
        codes = in_table(out)
    check(shell.office, keys, codes)


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_codes_are_shown_though_the_terminal_is_closed(
    office: Office, example_text: str, tmp_path: Path, number: signal.Signals
) -> None:
    file, keys = prepared(office, example_text, tmp_path)
    slow = replace(office.embedded.settings.pace, image_s=3600.0)  # there is time for a signal
    office.embedded.settings = replace(office.embedded.settings, pace=slow)
    command = ["appliance", "upgrade", "--image", "-f", str(file), "--exchange", str(office.exchange), "erode"]
    process = subprocess.Popen(  # with `nohup` around the tests SIGHUP would be ignored
        ["env", "--default-signal=HUP", sys.executable, "-m", "cli", *command],
        env={**os.environ, **office.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said = next((line for line in process.stderr if "its new image is made" in line), "")
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (said != "", process.returncode) == (True, 130), err
    check(office, keys, in_table(out))
