"""Generated pages are what would be generated now, and no link of a page leads nowhere."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


#: In a process of its own: click keeps a command's help option from whoever asked for it first.
GENERATED = "import json, runpy, sys; json.dump(runpy.run_path(sys.argv[1])['pages'](), sys.stdout)"


def test_the_reference_is_current() -> None:
    asked = [sys.executable, "-c", GENERATED, str(ROOT / "docs" / "generate.py")]
    pages = json.loads(subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    for name, text in pages.items():
        assert (ROOT / "docs" / name).read_text() == text, f"run `make docs`: {name} is out of date"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"
