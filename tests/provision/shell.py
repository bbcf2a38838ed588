"""An admin's shell, in which `gurney` runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.main import exit_of

if TYPE_CHECKING:
    import pytest

    from tests.provision.conftest import Office

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@dataclass(frozen=True)
class Shell:
    """Runs `gurney` in the environment of an office's admin."""

    office: Office
    capsys: pytest.CaptureFixture[str]

    def run(self, command: str, *arguments: str, file: Path | None = None) -> tuple[int, str, str]:
        options = ["-f", str(file or EXAMPLES / "community.yaml"), "--exchange", str(self.office.exchange)]
        self.capsys.readouterr()
        code = exit_of([command, *arguments, *options])
        out, err = self.capsys.readouterr()
        return code or 0, out, err
