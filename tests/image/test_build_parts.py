"""The parts of a build that need no build: what goes in, what it is called, and how failures are told."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
import traceback
from fnmatch import fnmatch
from itertools import product
from pathlib import Path

import pytest

from cli.failure import exit_code_of
from provision.image import disk, tool
from provision.image.bill import bill_of_materials
from provision.image.builder import Ingredients, _deliver, own_lock
from provision.image.digest import Tree, describe
from provision.image.errors import ImageNotBuilt
from provision.image.layout import SERVICE, STAFF, values_for
from provision.image.left_out import KEPT, LEFT_OUT
from provision.image.loader import FILES, Loaders, lay_out_loaders
from provision.image.mirror import Source, own_sources, sources_at, sources_for
from provision.image.packages import LOADERS, Package, Packages, _package
from provision.image.program import NOT_CODE, PARTS, own_files, own_metadata
from provision.image.release import Release, own_release
from provision.image.wheels import Wheel, Wheels, find_wheels
from templates.files import guest_files, script
from tests.waiting import until

SOURCES = (Source("http://mirror.example/debian", "bookworm"),)
#: Modules of the kernel by which a VM finds its disks, network, console and folders.
NEEDED = """
drivers/block/virtio_blk drivers/net/virtio_net drivers/scsi/virtio_scsi drivers/scsi/sd_mod drivers/scsi/sr_mod
drivers/ata/ahci drivers/ata/ata_piix drivers/virtio/virtio_pci drivers/net/ethernet/intel/e1000/e1000
drivers/char/virtio_console drivers/char/hw_random/virtio-rng drivers/virtio/virtio_balloon fs/ext4/ext4 fs/isofs/isofs
fs/fuse/virtiofs fs/9p/9p fs/fat/vfat net/9p/9pnet_virtio net/netfilter/nf_tables net/ipv4/netfilter/nf_reject_ipv4
net/netfilter/nft_reject net/netfilter/nft_connlimit net/netfilter/nf_conncount
"""
STANZA = """Package: tzdata
Version: 2:1.0-1
Architecture: all
Description: a package
 whose text goes: on
Filename: pool/main/t/tzdata_1.0-1_all.deb
Size: 12
SHA256: ab12
"""
KEY = """
from pathlib import Path
from provision.image.builder import Ingredients
from provision.image.packages import Packages
from provision.image.release import Release
from provision.image.wheels import Wheels
print(Ingredients(Release("bookworm", "3.11"), (), Packages(Path(), 0, ()), Wheels(Path(), Path(), ())).key)
"""


def test_release_is_that_of_the_python_that_runs() -> None:
    assert own_release((3, 11)) == Release("bookworm", "3.11")
    assert own_release((3, 13)).suite == "trixie"
    with pytest.raises(ImageNotBuilt, match=r"3\.11 \(bookworm\) or 3\.13 \(trixie\)"):
        own_release((3, 12))


def test_image_of_the_same_is_known_wherever_the_checkout_lies(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("one", "two")]
    for part, place in product((*PARTS, "provision", "templates"), places):
        shutil.copytree(own_lock().parent / part, place / part, ignore=NOT_CODE)

    def keys() -> set[str]:
        return {subprocess.check_output([sys.executable, "-c", KEY], cwd=place, text=True) for place in places}

    assert len(keys()) == 1
    (places[0] / "appliance/service.py").write_text("# another\n")
    assert len(keys()) == 2


def test_version_is_known_where_it_is_run_from_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """setuptools lays `PKG-INFO` beside the code of an editable install; an image needs it as `METADATA`."""
    told = own_metadata()["METADATA"]
    (tmp_path / "gurney.egg-info").mkdir()
    (tmp_path / "gurney.egg-info/PKG-INFO").write_text(told)
    monkeypatch.syspath_prepend(tmp_path)
    assert own_metadata() == {"METADATA": told}


def test_sources_are_debians_own_and_of_the_wanted_release() -> None:
    lines = [
        "http://m.example/debian trixie main",
        "http://m.example/debian trixie contrib",
        "http://m.example/debian trixie-updates main",
        "http://s.example/debian-security trixie-security main",
    ]
    assert [str(source) for source in sources_for("bookworm", lines)] == [
        "http://m.example/debian bookworm main",
        "http://m.example/debian bookworm-updates main",
        "http://s.example/debian-security bookworm-security main",
    ]
    assert {source.suite for source in sources_at("http://m.example/debian/", "bookworm")} == {
        source.suite for source in sources_for("bookworm", lines)
    }
    with pytest.raises(ImageNotBuilt, match="--mirror"):
        sources_for("bookworm", ["http://m.example/debian trixie contrib"])


def test_this_machine_has_a_mirror() -> None:
    assert own_sources("bookworm")[0].suite == "bookworm"


def test_package_is_read_from_its_stanza_and_lies_beside_the_index() -> None:
    package = _package(STANZA.rstrip(), "tzdata_2%3a1.0-1_all.deb")
    assert (package.identity, package.size, package.sha256) == ("tzdata=2:1.0-1", 12, "ab12")
    assert "Filename: ./tzdata_2%3a1.0-1_all.deb\n" in package.stanza
    assert "whose text goes: on" in package.stanza


def test_lock_file_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ImageNotBuilt, match="--lock"):
        find_wheels(tmp_path, tmp_path / "no.lock")
    assert own_lock().is_file()


def test_program_that_is_missing_is_told_with_its_package() -> None:
    with pytest.raises(ImageNotBuilt, match="apt-get install --no-install-recommends no-such-program"):
        tool.require(["sh", "no-such-program"])
    with pytest.raises(ImageNotBuilt, match="no-such-program: not installed here"):
        tool.run(["no-such-program"])
    with pytest.raises(ImageNotBuilt, match="failed \\(3\\):\n  the reason"):
        tool.run(["sh", "-c", "echo the reason >&2; exit 3"])
    assert exit_code_of(ImageNotBuilt("")) == 8


@pytest.mark.skipif(os.geteuid() != 0 or not tool.apart(), reason="only root may mount, and not in every container")
def test_what_a_program_mounts_is_not_mounted_for_others(tmp_path: Path) -> None:
    """Or else removing the folder of a build that was killed would reach into /proc and /sys."""
    mount = 'mount -t tmpfs none "$1" && touch "$1/file" && ls "$1"'
    assert tool.run(["sh", "-c", mount, "sh", str(tmp_path)], within=tool.apart()) == "file\n"
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


#: Cleans up until the test has sent its last signal: one that came later would end the tests themselves.
CLEAN = "touch cleaning; until [ -e go ]; do sleep 0.05; done; touch cleaned; exit 1"
SLOW = f'trap "{CLEAN}" TERM; sleep 600 & echo $! > child; wait'


@pytest.mark.parametrize("signs", [("child",), ("child", "cleaning")], ids=["once", "again while it cleans up"])
def test_interrupted_program_cleans_up_and_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signs: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    threading.Thread(target=interrupt_when, args=[tmp_path / sign for sign in signs], daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        tool.run(["sh", "-c", SLOW])
    assert (tmp_path / "cleaned").exists()
    child = int((tmp_path / "child").read_text())
    assert not Path(f"/proc/{child}").exists() or " Z " in Path(f"/proc/{child}/stat").read_text()


def interrupt_when(*signs: Path) -> None:
    until(lambda: "communicate" in calls_of_the_main_thread(), "waiting for the program")
    for sign in signs:
        until(sign.is_file, sign.name)
        os.kill(os.getpid(), signal.SIGINT)
    signs[0].with_name("go").touch()


def calls_of_the_main_thread() -> set[str]:
    """The functions that it is in."""
    frame = sys._current_frames()[threading.main_thread().ident or 0]
    return {frame.f_code.co_name for frame, _ in traceback.walk_stack(frame)}


def test_who_cannot_give_files_to_others_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "NAMESPACE", ("false",))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ImageNotBuilt, match="Build as root, or as a user with an entry in /etc/subuid"):
        tool.require_root()


def archive(path: Path, names: list[str], content: bytes = b"x") -> Path:
    with tarfile.open(path, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_digest_is_of_the_files_and_not_of_their_order(tmp_path: Path) -> None:
    one = describe(archive(tmp_path / "a", ["etc/a", "etc/b"]))
    assert one.digest == describe(archive(tmp_path / "b", ["etc/b", "etc/a"])).digest
    assert one.digest != describe(archive(tmp_path / "c", ["etc/a", "etc/b"], b"y")).digest
    assert one.files == 2


def test_partitions_follow_each_other_within_the_disk() -> None:
    ends = [part.first + part.sectors for part in disk.PARTITIONS]
    begins = [part.first for part in disk.PARTITIONS]
    assert all(end <= begin for end, begin in zip(ends, begins[1:], strict=False))
    assert all(begin % 2048 == 0 for begin in begins)
    assert ends[-1] * 512 <= (disk.DISK_MIB - 1) * disk.MIB


#: What GRUB is made of in Debian 13, and what makes it.
GRUB = ("grub-common", "grub-efi-amd64-unsigned", "grub-pc-bin")


def package(name: str, sha256: str = "ab") -> Package:
    return Package(name, "1:2", "amd64", f"{name}.deb", 1, sha256, "")


def test_bill_of_materials_names_everything_and_is_the_same_each_time(tmp_path: Path) -> None:
    tree = Tree(tmp_path, "d" * 64, 1, 1)
    for name in FILES:
        (tmp_path / name).write_text(name)
    packages = Packages(tmp_path, 1_700_000_000, (package("a"),), tuple(map(package, GRUB)))
    wheels = Wheels(tmp_path, tmp_path, (Wheel("numpy", "2.4.6", "numpy.whl", "cd"),))
    text = bill_of_materials(tree, Loaders(tmp_path), Release("bookworm", "3.11"), packages, wheels)
    assert text == bill_of_materials(tree, Loaders(tmp_path), Release("bookworm", "3.11"), packages, wheels)
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    urls = [component["purl"] for component in bill["components"] if "purl" in component]
    debian = [f"pkg:deb/debian/{name}@1%3A2?arch=amd64&distro=bookworm" for name in ("a", *GRUB)]
    assert urls[1:] == [*debian, "pkg:pypi/numpy@2.4.6"]
    made = {each["name"]: each["hashes"][0]["content"] for each in bill["components"] if each["type"] == "file"}
    assert made == {name: hashlib.sha256(name.encode()).hexdigest() for name in FILES}
    assert [each["name"] for each in bill["components"] if each.get("scope") == "excluded"] == ["grub-common"]
    assert len({component["bom-ref"] for component in bill["components"]}) == 3 + len(GRUB) + len(FILES)


def test_boot_loaders_are_of_packages_that_are_what_the_index_says(tmp_path: Path) -> None:
    (tmp_path / "grub-pc-bin.deb").write_bytes(b"deb")
    good = package("grub-pc-bin", hashlib.sha256(b"deb").hexdigest())
    lay_out_loaders(tmp_path / "one", Packages(tmp_path, 0, (), (good,)), "#!/bin/sh")
    assert {path.name for path in (tmp_path / "one/gurney-loader").iterdir()} == {"grub-pc-bin.deb", "make.sh"}
    (tmp_path / "grub-pc-bin.deb").write_bytes(b"another")
    with pytest.raises(ImageNotBuilt, match=r"grub-pc-bin\.deb: is not the package that Debian's index describes"):
        lay_out_loaders(tmp_path / "two", Packages(tmp_path, 0, (), (good,)), "#!/bin/sh")


def test_image_of_another_boot_loader_is_another(tmp_path: Path) -> None:
    def key(sha256: str) -> str:
        packages = Packages(tmp_path, 0, (), (package("grub-pc-bin", sha256),))
        return Ingredients(Release("bookworm", "3.11"), (), packages, Wheels(tmp_path, tmp_path, ())).key

    assert key("ab") == key("ab") != key("cd")


def test_no_boot_loader_is_the_building_machine_s() -> None:
    """Neither is a program of it asked for, nor does one of the tests' packages bring it."""
    assert not [name for name in tool.PACKAGES if name.startswith("grub")]
    listed = (Path(__file__).parent / "system-packages.txt").read_text()
    assert "grub" not in listed
    assert all(name.startswith("grub") for name in LOADERS)


def test_image_is_delivered_whole_or_not_at_all(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "out" / "image.qcow2"
    source.write_bytes(b"image")
    with pytest.raises(FileNotFoundError):
        _deliver([(source, target), (tmp_path / "missing", tmp_path / "out" / "other")])
    assert list((tmp_path / "out").iterdir()) == []
    source.write_bytes(b"image")
    _deliver([(source, target)])
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["image.qcow2"]


def test_what_a_virtual_machine_needs_is_not_left_out() -> None:
    kernel = "/lib/modules/6.1.0-1-amd64/kernel"
    needed = [f"{kernel}/{name}.ko" for name in NEEDED.split()]
    for name in [*needed, "/usr/share/doc/tzdata/copyright", "/usr/lib/python3/dist-packages/apt_pkg.so"]:
        patterns = [pattern for pattern in LEFT_OUT if fnmatch(name, pattern)]
        assert not patterns or any(fnmatch(name, kept) for kept in KEPT), (name, patterns)
    for name in ("sound/core/snd.ko", "drivers/gpu/drm/amd/amdgpu/amdgpu.ko", "drivers/net/wireless/ath/ath.ko"):
        assert any(fnmatch(f"{kernel}/{name}", pattern) for pattern in LEFT_OUT), name


def test_guest_gets_no_program_that_reaches_a_cloud() -> None:
    assert not {"provision", "emulator", "templates"} & set(PARTS)
    names = [path.as_posix() for path in own_files()]
    assert names == sorted(names, key=lambda name: (next(i for i, p in enumerate(PARTS) if f"/{p}/" in name), name))
    assert not [name for name in names if "__pycache__" in name]


def test_numbers_of_accounts_never_change() -> None:
    assert (SERVICE.id, STAFF.id) == (800, 801)


def test_every_file_of_the_guest_is_rendered() -> None:
    values = values_for("1.2.3", SOURCES)
    files = {str(path): text for path, text in guest_files(**values)}
    assert files["etc/apt/sources.list"] == "deb http://mirror.example/debian bookworm main\n"
    assert "setup.sh" not in files
    assert "/opt/gurney/1.2.3" in script("setup.sh", **values)
    assert not [name for name, text in files.items() if "{{" in text or "{%" in text or not text.endswith("\n")]
    service = files["etc/systemd/system/gurney.service"]
    lines = (
        "User=gurney",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "OOMPolicy=continue",
    )
    for line in lines:
        assert f"\n{line}\n" in service
    assert "PasswordAuthentication no" in files["etc/ssh/sshd_config.d/gurney.conf"]
    assert "policy drop" in files["etc/nftables.conf"]
