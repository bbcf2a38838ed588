"""Whole builds: the same comes of the same, with no network once all is cached; one that ends early leaves nothing."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from provision.image.builder import Order, find_ingredients, own_lock
from provision.image.cache import own_cache
from provision.image.mirror import own_sources
from provision.image.packages import LOADERS, WANTED, find_packages
from provision.image.release import own_release
from tests.image.unprivileged import ROOT, Account, new_account
from tests.image.waiting import until

pytestmark = [
    pytest.mark.vm,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
]

LARGEST = 350_000_000
NOWHERE = "http://127.0.0.1:9"
BEFORE_IT_ENDS_S = 900


#: Where nobody is: for everything that could reach a mirror.
PROXIES = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE)
BUILD = (sys.executable, "-m", "cli", "appliance", "build", "-o")


def build(folder: Path, account: Account | None = None, **environment: str) -> dict[str, Any]:
    """What `--json` says of an image, and its bill of materials."""
    words = [*BUILD, str(folder / "image.qcow2"), "--json"]
    command, own = (account.command(*words), account.environment()) if account else (words, dict(os.environ))
    done = subprocess.run(command, cwd=ROOT, env=own | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "bill": json.loads((folder / "image.cdx.json").read_text())}


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What came of a build with all that it may need; afterwards everything is cached."""
    return build(tmp_path_factory.mktemp("first"))


@pytest.fixture
def account(tmp_path: Path, first: dict[str, Any]) -> Account:
    """A user without root, with a cache as the first build left it."""
    assert first["bill"]
    made = new_account(tmp_path / "account")
    shutil.copytree(own_cache(), made.home / "cache/gurney/image", ignore=shutil.ignore_patterns("built"))
    (made.home / "out").mkdir()
    made.give(made.home)
    return made


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return all(one[name] == two[name] for name in ("tree_sha256", "files", "bill"))


def test_second_build_needs_no_network_and_makes_the_same(tmp_path: Path, first: dict[str, Any]) -> None:
    second = build(tmp_path, **PROXIES)
    assert same(first, second)
    assert max(first["bytes"], second["bytes"]) <= LARGEST


def test_who_is_not_root_builds_the_same(account: Account, first: dict[str, Any]) -> None:
    assert same(first, build(account.home / "out", account, **PROXIES))
    assert list((account.home / "tmp").iterdir()) == []


def test_refreshing_names_what_is_there_already(tmp_path: Path, first: dict[str, Any]) -> None:
    """apt itself names only what it has not downloaded yet."""
    assert first["bill"]
    shutil.copytree(own_cache() / "packages", tmp_path / "packages", copy_function=os.link)
    found = find_packages(tmp_path, own_sources(own_release().suite), refresh=True)
    assert {package.name for package in found.items} >= set(WANTED)
    assert {package.name for package in found.loader} >= set(LOADERS)


def test_bill_names_the_boot_loaders(first: dict[str, Any]) -> None:
    """What lies outside the file tree."""
    named = {each["name"]: each for each in first["bill"]["components"]}
    for name in ("boot.img", "core.img", "bootx64.efi", "grub-pc-bin", "grub-efi-amd64-bin"):
        assert len(named[name]["hashes"][0]["content"]) == 64
        assert "scope" not in named[name]
    assert named["grub-common"]["scope"] == "excluded"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_build_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    find_ingredients(Order(tmp_path / "unused", own_lock()))
    temporary, out = tmp_path / "tmp", tmp_path / "out"
    for folder in (temporary, out):
        folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    process = subprocess.Popen([*BUILD, str(out / "image.qcow2")], env=environment, stderr=subprocess.PIPE, text=True)
    left_nothing(process, number, temporary, out)


def test_interrupted_build_without_root_leaves_nothing(account: Account) -> None:
    temporary, out = account.home / "tmp", account.home / "out"
    command = account.command(*BUILD, str(out / "image.qcow2"))
    process = subprocess.Popen(command, cwd=ROOT, env=account.environment(), stderr=subprocess.PIPE, text=True)
    left_nothing(process, signal.SIGINT, temporary, out)


def left_nothing(process: subprocess.Popen[str], number: signal.Signals, temporary: Path, out: Path) -> None:
    until(lambda: list(temporary.glob("*/mmdebstrap.*/usr")), "the installation", BEFORE_IT_ENDS_S)
    time.sleep(1)
    process.send_signal(number)
    _, words = process.communicate(timeout=240)
    assert process.returncode == 130, words
    assert "Installing Debian" in words
    assert "Traceback" not in words
    assert (list(temporary.iterdir()), list(out.iterdir())) == ([], [])
    assert processes_in(temporary) == []
    assert str(temporary) not in Path("/proc/mounts").read_text()


def processes_in(folder: Path) -> list[str]:
    """Processes that name a folder in their command line."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            found.append(line.read_bytes().decode(errors="replace"))
    return [text for text in found if str(folder) in text]
