"""The file tree of an image: Debian installed by mmdebstrap, our files and program put in."""

from __future__ import annotations

import os
import shutil
import tarfile
from typing import TYPE_CHECKING

from provision.image.digest import Tree, describe
from provision.image.layout import values_for
from provision.image.left_out import KEPT, LEFT_OUT
from provision.image.loader import LOADERS, lay_out_loaders, loader_hooks
from provision.image.program import own_version
from provision.image.tool import apart, run
from templates.files import guest_files, script

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from provision.image.mirror import Source
    from provision.image.packages import Packages
    from provision.image.release import Release

#: What the kernel's package reads when it is installed.
EARLY = "etc/initramfs-tools"
EXECUTABLE = frozenset({"usr/local/bin/gurney", "etc/nftables.conf"})


def make_tree(work: Path, release: Release, packages: Packages, sources: Sequence[Source]) -> Tree:
    """
    Install Debian from the packages alone, and put what lies in `work/program` and the guest's files into it.

    The boot loaders are made in it and handed out to `work/loaders`: they are no part of it.

    Raises
    ------
    ImageNotBuilt
        mmdebstrap could not do it, with its last words; or a package has changed.
    """
    repository = _make_repository(work / "repository", packages)
    _write_files(work, packages, sources)
    tar = work / "tree.tar"
    options = [
        "--variant=apt",
        "--format=tar",
        "--architectures=amd64",
        '--aptopt=APT::Install-Recommends "false"',
        "--include=" + ",".join(package.identity for package in packages.items),
        "--dpkgopt=force-confold",
        "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT),
        *(f"--dpkgopt=path-include={pattern}" for pattern in KEPT),
        "--skip=check/empty",
        f"--essential-hook=tar-in {work / 'early.tar'} /",
        f"--customize-hook=tar-in {work / 'files.tar'} /",
        f"--customize-hook=tar-in {work / 'program.tar'} /",
        f"--customize-hook=upload {work / 'setup.sh'} /setup.sh",
        '--customize-hook=chroot "$1" sh /setup.sh && rm "$1/setup.sh"',
        f"--customize-hook=tar-in {work / 'loaders.tar'} /",
        *(f"--customize-hook={hook}" for hook in loader_hooks(work / LOADERS)),
    ]
    run(
        ["mmdebstrap", *options, release.suite, str(tar), f"deb [trusted=yes] copy:{repository} ./"],
        within=apart(),
        environment={"SOURCE_DATE_EPOCH": str(packages.date), "TMPDIR": str(work)},
    )
    return describe(tar)


def _make_repository(folder: Path, packages: Packages) -> Path:
    """A repository of exactly these packages, where the user that mmdebstrap becomes can read them."""
    folder.mkdir()
    for package in packages.items:
        _share(packages.folder / package.file, folder / package.file)
    (folder / "Packages").write_text(packages.index)
    return folder


def _share(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    target.chmod(0o644)


def _write_files(work: Path, packages: Packages, sources: Sequence[Source]) -> None:
    values = values_for(own_version(), sources)
    for path, text in guest_files(**values):
        file = work / "files" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if str(path) in EXECUTABLE else 0o644)
    (work / "setup.sh").write_text(script("setup.sh", **values))
    lay_out_loaders(work / "loaders-of", packages, script("loader.sh", **values))
    _archive(work / "loaders-of", work / "loaders.tar")
    _archive(work / "files", work / "files.tar")
    _archive(work / "files", work / "early.tar", EARLY)
    _archive(work / "program", work / "program.tar")


def _archive(folder: Path, target: Path, below: str = "") -> None:
    """An archive of what lies below a part of a folder: root's, not telling when or in which order it was made."""
    with tarfile.open(target, "w") as archive:
        for path in sorted((folder / below).rglob("*")):
            archive.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=_plain)


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    member.mtime = 0
    if member.isdir():
        member.mode = 0o755
    elif member.isfile():
        member.mode = 0o755 if member.mode & 0o100 else 0o644
    return member
