"""What a support case needs of an appliance, without patient data: an archive of texts."""

from __future__ import annotations

import io
import shlex
import tarfile
import time
from typing import TYPE_CHECKING

from provision.visit.far_side import FarSide

if TYPE_CHECKING:
    from pathlib import Path

    from provision.visit.shell import Shell

#: What of the context is told: a START_SCRIPT or a password that somebody wrote into it is not.
TOLD = (
    "GURNEY_(COMMUNITY|BRANCH|AE_TITLE|COMMUNITY_KEY|RECOVERY_KEY|EXCHANGE|(ADMIN|BRANCH)_NETWORKS|TIME_ZONE)|"
    "(ETH|DISK)[0-9]+_[A-Z0-9_]+|(SET_)?HOSTNAME|VMID|DNS|SEARCH_DOMAIN|NTP_SERVERS|ONEGATE_ENDPOINT"
)
#: Read as the appliance reads it: a line of a value that runs over several may look like a variable of its own.
CONTEXT = (
    "import re, sys; from pathlib import Path; from appliance.context import parse; "
    "variables = parse(Path(sys.argv[1]).read_text()); "
    f'told = [name for name in variables if re.fullmatch(r"{TOLD}", name)]; '
    'print(*(f"{name}={variables[name]!r}" for name in told), sep="\\n")'
)
#: systemd's patterns are those of fnmatch(3). What a START_SCRIPT writes is not among them: it may be `set -x`.
UNITS = ("gurney.service", "gurney-[!s]*")
#: File in the bundle to the command whose words it holds. Samba's log names files, and files name patients: it is not
#: among them, nor what a person runs over SSH and writes to the journal. The token of OneGate is not either.
COMMANDS = {
    "versions": "cat /etc/os-release; uname -a; dpkg-query -W",
    "programs": "readlink {root}/opt/gurney/current; ls -l {root}/opt/gurney/installed/",
    "uptime": "uptime; free -m; df -h; systemd-analyze",
    "units": "systemctl --no-pager --full list-units --all; systemctl --no-pager --failed",
    "service": "systemctl --no-pager --full status gurney.service gurney-boot.service smbd.service ssh.service -n 0",
    "journal-gurney": "journalctl --no-pager -o short-iso -n 20000 " + shlex.join(f"--unit={unit}" for unit in UNITS),
    "journal-system": "journalctl --no-pager -o short-iso -n 5000 -k -p warning; "
    "journalctl --no-pager -n 2000 -u ssh -t sshd",
    "network": "ip -brief address; ip route; ip -6 route; cat /etc/resolv.conf; nft list ruleset; ss -ltn",
    "context": f"{{root}}/opt/gurney/current/bin/python -I -c '{CONTEXT}' {{root}}/run/gurney/context/context.sh",
    "disks": "lsblk -f; findmnt --df; du -sh {root}/var/lib/gurney/archive/* 2>/dev/null",
    "updates": "cat {root}/run/reboot-required.pkgs {root}/run/gurney/restart-wanted 2>/dev/null; "
    "tail -n 200 /var/log/unattended-upgrades/unattended-upgrades.log",
    "clock": "timedatectl status --no-pager; timedatectl timesync-status --no-pager",
    "health": "{root}/opt/gurney/current/bin/python -I -c "
    "'import urllib.request as u; print(u.urlopen(\"http://127.0.0.1:8080/health\", timeout=5).read().decode())'",
}


def write_bundle(shell: Shell, name: str, target: Path, far: FarSide | None = None) -> None:
    """
    Ask everything and write `target`, a .tar.gz whose folder has the name; it is written last, and whole.

    What is said is redacted in the appliance itself: no patient's name leaves it to be taken out elsewhere.
    """
    asked = far or FarSide()
    part = target.with_name(f".{target.name}.part")
    try:
        with tarfile.open(part, "w:gz") as archive:
            for file, command in COMMANDS.items():
                said = shell.run(asked.redacting(command))
                _add(archive, f"{name}/{file}.txt", f"$ {command.replace('{root}', '')}\n{said.out}")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _add(archive: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    member = tarfile.TarInfo(name)
    member.size, member.mtime = len(content), int(time.time())
    archive.addfile(member, io.BytesIO(content))
