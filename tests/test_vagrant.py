"""The Vagrantfile is one that Vagrant takes."""

import subprocess
from pathlib import Path


def test_vagrant_validates(tmp_path: Path) -> None:
    root = Path(__file__).parent.parent
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "VAGRANT_DOTFILE_PATH": str(tmp_path / "dot")}
    subprocess.run(["vagrant", "validate", "--ignore-provider"], cwd=root, env=environment, check=True, timeout=120)
