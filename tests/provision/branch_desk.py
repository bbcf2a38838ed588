"""An admin's desk at which `gurney branch` runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.main import exit_of
from tests.provision.shell import EXAMPLES

if TYPE_CHECKING:
    import pytest

    from exchange.directory import Directory
    from tests.provision.conftest import Office


@dataclass(frozen=True)
class BranchDesk:
    """Runs `gurney branch` as an office's admin."""

    office: Office
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        options = ["-f", str(EXAMPLES / "community.yaml"), "--exchange", str(self.office.exchange)]
        self.capsys.readouterr()
        code = exit_of(["branch", arguments[0], *options, *arguments[1:]])
        out, err = self.capsys.readouterr()
        return code or 0, out, err

    def directory(self) -> Directory:
        directory = self.office.found().view.published.directory
        assert directory is not None
        return directory
