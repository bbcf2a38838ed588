"""The script that makes a front end, run in a machine up to where it needs the vendor's packages."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.image.lone import ADMIN_NETWORK, HOST, LoneMachine, text_of, variables
from tests.image.shell import Shell, make_key
from tests.image.waiting import until

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.vm,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
]

SCRIPT = Path(__file__).parents[1] / "live" / "front-end.sh"
UNREACHABLE, MISUSED = 69, 64
GATEWAY, RESOLVER = "10.99.0.50", "10.99.0.253"
NOWHERE = "http://127.0.0.1:9"
PACKAGES = "curl gnupg nfs-kernel-server qemu-utils"
INSTALLED_WITHIN_S = 2400


@pytest.fixture(scope="module")
def root(appliance_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A Debian that reaches what this machine reaches."""
    folder = tmp_path_factory.mktemp("stock")
    key, other = make_key(folder / "key"), folder / "other.raw"
    other.write_bytes(b"x" * (1 << 20))
    wire = f"local.type=unix,local.path={folder}/card,remote.type=unix,remote.path={folder}/nobody"
    machine = LoneMachine(folder / "machine", appliance_image, wire, other, restricted=False)
    public = key.with_suffix(".pub").read_text()
    context = variables(SSH_PUBLIC_KEY=public, ETH1_GATEWAY=GATEWAY, ETH1_DNS=RESOLVER)
    machine.start({"context.sh": text_of(context).encode()}, "CONTEXT", uefi=False)
    try:
        shell = Shell(HOST, machine.ports[22], key, INSTALLED_WITHIN_S)
        until(lambda: shell.attempt("systemctl stop gurney smbd").returncode == 0, f"SSH from {ADMIN_NETWORK}")
        yield shell
    finally:
        machine.end()


def run(root: Shell, **environment: str) -> subprocess.CompletedProcess[str]:
    settings = " ".join(f"{name}='{value}'" for name, value in environment.items())
    return root.attempt(f"{settings} sh -s", text=SCRIPT.read_text())


def test_version_has_to_be_named(root: Shell) -> None:
    done = run(root)
    assert (done.returncode, "ONE_VERSION is not set" in done.stderr) == (MISUSED, True)


def test_everything_before_the_vendors_packages_is_done(root: Shell) -> None:
    done = run(root, ONE_VERSION="7.4", ONE_REPOSITORY=NOWHERE, ONE_REPOSITORY_KEY=f"{NOWHERE}/key")
    assert done.returncode == UNREACHABLE, done.stdout + done.stderr
    assert f"{NOWHERE}/key cannot be reached from here" in done.stderr
    assert "OpenNebula 7.4 on Debian/12" in done.stdout
    assert root.run(f"dpkg-query -W -f '${{db:Status-Status}} ' {PACKAGES}").split() == ["installed"] * 4
    assert root.run("stat -c %u:%g /srv/exchange/out/erode").strip() == "100800:100800"
    assert "virtual size: 64 MiB" in root.run("qemu-img info /var/tmp/gurney-appliance.qcow2")
    assert "state UNKNOWN" in root.run("ip link show branches0")


def test_it_may_be_run_again(root: Shell) -> None:
    """Nothing is known of where the packages are: it says so, after the same as before."""
    done = run(root, ONE_VERSION="7.4")
    assert (done.returncode, "ONE_REPOSITORY is not set" in done.stderr) == (MISUSED, True)
