"""The house keeps its shape: who imports whom, one door a library, names and sizes."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions as read_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
packages_distributions = cache(read_distributions)
PACKAGES = ("appliance", "cli", "converter", "emulator", "exchange", "provision", "templates")

MAY_IMPORT = {
    "cli": {"provision", "appliance", "converter", "exchange", "emulator"},
    "appliance": {"converter", "exchange"},
    "provision": {"templates", "exchange"},
    "exchange": set(),
    "converter": set(),
    "emulator": set(),
    "templates": set(),
}

#: The one module or folder through which each library is used.
DOORS = {
    "pyone": {"provision/opennebula.py"},
    "pynetdicom": {"appliance/dimse/"},
    "paramiko": {
        "exchange/ssh_host.py",
        "exchange/sftp.py",
        "exchange/sftp_session.py",
        "provision/upload/front_end.py",
        "provision/visit/shell.py",
    },
    "obstore": {"exchange/bucket.py"},
    "pyrage": {"exchange/sealing.py", "exchange/keys.py", "exchange/community.py"},
    "click": {"cli/"},
    "rich": {"cli/"},
    "sqlalchemy": {"appliance/"},
    "alembic": {"appliance/index/"},
    "starlette": {"appliance/"},
    "fastapi": {"appliance/"},
    "uvicorn": {"appliance/"},
    "argon2": {"appliance/"},
    "pydantic": {"exchange/", "provision/", "appliance/"},
    "yaml": {"provision/"},
    "isal": {"converter/"},
    "imagecodecs": {"converter/"},
    "PIL": {"converter/", "appliance/web/pictures.py"},
    "jinja2": {"templates/", "appliance/", "converter/"},
}


def files_of(package: str) -> list[Path]:
    """Every Python file of a package."""
    return sorted((ROOT / package).rglob("*.py"))


ALL_FILES = [path for package in PACKAGES for path in files_of(package)]


@cache
def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it, by its full dotted name."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: imports are absolute"
            names.add(node.module)
    return names


def roots_of(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports_of(path)}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    for path in files_of(package):
        ours = roots_of(path) & set(PACKAGES) - {package}
        assert ours <= MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {sorted(ours - MAY_IMPORT[package])}"


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library: str) -> None:
    for path in ALL_FILES:
        place = path.relative_to(ROOT).as_posix()
        if library in roots_of(path):
            assert any(place == door or (door.endswith("/") and place.startswith(door)) for door in DOORS[library]), (
                place
            )


def test_every_door_is_used() -> None:
    used = set().union(*(roots_of(path) for path in ALL_FILES))
    assert set(DOORS) - used == set()


def test_every_dependency_is_imported() -> None:
    """A declared library that no code imports is taken out of pyproject.toml."""
    declared = {
        requirement.partition(">")[0].lower().replace("-", "_")
        for requirement in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    }
    used = set().union(*(roots_of(path) for path in ALL_FILES))
    imported = {name.lower().replace("-", "_") for root in used for name in packages_distributions().get(root, [])}
    loaded_by_name = {"httptools", "python_multipart"}  # uvicorn and FastAPI find these
    assert declared - imported - loaded_by_name == set()


def test_our_module_names_are_ours() -> None:
    for path in ALL_FILES:
        assert path.stem not in {"utils", "util", "helpers", "common", "manager", "misc"}, path
        assert path.stem not in sys.stdlib_module_names or path.parent != ROOT, path


def test_no_package_is_named_like_a_library() -> None:
    ours = packages_distributions()
    for package in PACKAGES:
        assert set(ours.get(package, ["gurney"])) == {"gurney"}, f"{package} is also installed by {ours[package]}"
        assert package not in sys.stdlib_module_names


@pytest.mark.parametrize("path", ALL_FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_has_one_subject(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 300, "past 300 lines a file has two subjects"
    assert ast.get_docstring(ast.parse(text)), "every file opens with one sentence"


def test_help_costs_no_more_than_click() -> None:
    """`gurney --help` imports none of the heavy libraries."""
    program = "import sys; from cli.main import exit_of; exit_of(['--help']); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    assert not {"numpy", "pydicom", "sqlalchemy", "pyone", "pydantic", "rich", "starlette"} & set(loaded.split())


def test_tests_hold_no_packages() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_the_project_speaks_of_itself_alone() -> None:
    """No path of one machine and no package registry's host stands in a text of the project."""
    registries = ("pypi" + ".org", "pythonhosted" + ".org", "deb.debian" + ".org", "registry.npmjs" + ".org")
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True, cwd=ROOT).stdout.split(b"\0")
    for path in (ROOT / os.fsdecode(name) for name in listed if name):
        text = path.read_bytes() if path.is_file() else b""
        assert not [word for word in ("/" + "work/", *registries) if word.encode() in text], path
