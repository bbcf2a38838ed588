"""One machine on q35 and UEFI, from no context to the right one: console, network, firewall, disks, clock, scripts."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from appliance.boot.volume import Kind, look
from emulator.drivers import qemu_command
from tests.appliance.community import Community
from tests.image.lone import ADMIN_NETWORK, ARCHIVE_MIB, GUEST, HOST, MAC, LoneMachine, text_of, variables
from tests.image.shell import Shell, make_key
from tests.image.waiting import PATIENCE_S, until
from tests.image.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = [
    pytest.mark.vm,
    pytest.mark.long,
    pytest.mark.slow,
    pytest.mark.timeout(3600),
]

ROUTER, COLLEAGUE, NEIGHBOUR, SERVER = "10.20.1.1", "10.20.1.77", "10.20.2.77", "10.20.1.53"
GUEST6, ROUTER6, COLLEAGUE6, NEIGHBOUR6 = "2001:db8:1::10", "2001:db8:1::1", "2001:db8:1::77", "2001:db8:2::77"
OTHER_ROUTER = "10.20.1.2"
AHEAD_S, FOREIGN_MIB, GROWN_MIB = 3600, 64, 512
SERVICES = {"SSH": {22}, "page": {80, 8080, 443, 8443}, "DICOM": {104, 11112, 2762}, "SMB": {445}}
OPEN, ADMINS = set().union(*SERVICES.values()), SERVICES["SSH"] | SERVICES["page"]
ALL_PORTS = range(1, 65536)
SOME_PORTS = (*range(1, 1200), *range(2700, 2800), *range(8000, 8500), *range(11100, 11130))
FEW_PORTS = sorted(OPEN)
#: Where the START_SCRIPT notes that it has run.
RAN = "/root/start-script"
SCRIPT = f'echo "by $(id -un)" >> {RAN}\necho \'it said: "done"\'\n'


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    present = (ROUTER, COLLEAGUE, SERVER, OTHER_ROUTER, ROUTER6, COLLEAGUE6)
    made = Wire(tmp_path_factory.mktemp("wire"), MAC, present, clock_ahead_s=AHEAD_S)
    yield made
    made.close()


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk of another system's."""
    disk = tmp_path_factory.mktemp("foreign") / "disk.raw"
    command = ["/sbin/mke2fs", "-q", "-F", "-L", "pacs", str(disk), f"{FOREIGN_MIB}M"]
    subprocess.run(command, check=True, capture_output=True)
    disk.with_suffix(".sha256").write_text(sha256(disk))
    return disk


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_key(tmp_path_factory.mktemp("admin") / "key")


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> Community:
    """Whose exchange the machine's shared folder is."""
    return Community(tmp_path_factory.mktemp("lone") / "exchange")


@pytest.fixture(scope="module")
def machine(appliance_image: Path, wire: Wire, foreign: Path, community: Community) -> Iterator[LoneMachine]:
    made = LoneMachine(community.root.parent, appliance_image, wire.netdev, foreign)
    made.start({"readme.txt": b"not for us"}, "OTHER")
    try:
        yield made
    except BaseException:
        print(made.console()[-5000:])
        raise
    finally:
        made.end()


@pytest.fixture(scope="module")
def root(machine: LoneMachine, key: Path) -> Shell:
    return Shell(HOST, machine.ports[22], key)


@pytest.fixture(scope="module")
def context(key: Path, community: Community) -> dict[str, str]:
    return variables(
        GURNEY_COMMUNITY_KEY=community.keys.sign.public.text,
        GURNEY_RECOVERY_KEY=community.keys.recovery.text,
        SSH_PUBLIC_KEY=key.with_suffix(".pub").read_text(),
        START_SCRIPT=SCRIPT,
        NTP_SERVERS=ROUTER,
        ETH0_GATEWAY=ROUTER,
        ETH0_DNS=SERVER,
        ETH0_SEARCH_DOMAIN="erode.example",
        ETH0_MTU="1400",
        ETH0_ROUTES=f"10.9.0.0/16 via {OTHER_ROUTER}",
        ETH0_IP6=GUEST6,
        ETH0_IP6_PREFIX_LENGTH="64",
        ETH0_IP6_GATEWAY=ROUTER6,
    )


def test_machine_without_a_context_says_so_and_touches_no_disk(machine: LoneMachine) -> None:
    machine.until_said("*** no disc named CONTEXT: this VM was started without a CONTEXT section", PATIENCE_S)
    machine.until_said("*** the context does not say whose archive this is: it is not opened", PATIENCE_S)
    assert look(machine.folder / "archive" / "disk.raw").kind is Kind.EMPTY


def test_disc_that_opennebula_did_not_write_is_told_with_its_line(machine: LoneMachine) -> None:
    machine.change_disc("VMID='7'\nSSH_PUBLIC_KEY=$(reboot)\n")
    machine.until_said("*** the CONTEXT disc cannot be used: context.sh, line 2: not a line", PATIENCE_S)


def test_wrong_context_is_told_and_can_be_looked_at_by_ssh(
    machine: LoneMachine, context: dict[str, str], root: Shell
) -> None:
    wrong = {name: value for name, value in context.items() if name != "GURNEY_COMMUNITY_KEY"}
    machine.change_disc(text_of({**wrong, "ETH0_DNS": "nowhere", "GURNEY_ADMIN_NETWORKS": f"all, {ADMIN_NETWORK}"}))
    machine.until_said("*** ETH0_DNS='nowhere' in the context cannot be understood", PATIENCE_S)
    machine.until_said("*** GURNEY_ADMIN_NETWORKS in the context: 'all' is no network", PATIENCE_S)
    machine.until_said("*** the service cannot start: ", PATIENCE_S)
    until(lambda: root.attempt("true").returncode == 0, "SSH")
    assert "GURNEY_COMMUNITY_KEY missing" in root.run("cat /run/gurney/wrong-context")
    assert root.attempt("systemctl is-active gurney.service").stdout.strip() == "inactive"


def test_right_context_is_taken_by_the_running_machine(
    machine: LoneMachine, context: dict[str, str], root: Shell
) -> None:
    machine.change_disc(text_of(context))
    until(lambda: machine.answers(8080), "the service")
    machine.until_said("this is erode of kongu, at 10.20.1.10 2001:db8:1::10 10.99.0.10", PATIENCE_S)
    until(lambda: root.attempt("systemctl is-active smbd").returncode == 0, "the shared folder")


def test_enrolled_machine_serves_over_tls_as_well(root: Shell, community: Community) -> None:
    application = "/var/lib/gurney/archive/keys/enrolment.json"
    until(lambda: root.attempt(f"test -s {application}").returncode == 0, "the keys of the branch")
    community.admit("erode", json.loads(root.run(f"cat {application}")), GUEST)
    until(lambda: {8443, 2762} <= listening(root), "TLS")


def listening(root: Shell) -> set[int]:
    """Ports at which something in the machine listens, whomever the firewall lets through."""
    return {int(line.split()[3].rpartition(":")[2]) for line in root.run("ss -Hltn").splitlines()}


def listed(root: Shell, what: str) -> list[dict[str, Any]]:
    return list(json.loads(root.run(f"ip -j {what}")))


def test_network_is_as_the_context_says(root: Shell, wire: Wire) -> None:
    (card,) = listed(root, "addr show eth0")
    addresses = {f"{each['local']}/{each['prefixlen']}" for each in card["addr_info"] if each["scope"] == "global"}
    assert addresses == {f"{GUEST}/24", f"{GUEST6}/64"}
    assert card["mtu"] == 1400
    routes = {(route["dst"], route.get("gateway")) for route in listed(root, "route") + listed(root, "-6 route")}
    assert {("default", ROUTER), ("10.9.0.0/16", OTHER_ROUTER), ("default", ROUTER6)} <= routes
    assert root.run("cat /etc/resolv.conf") == f"search erode.example\nnameserver {SERVER}\n"

    def asked() -> bool:
        root.attempt("timeout 5 getent hosts pictures")
        return (SERVER, 53) in wire.asked

    until(asked, "a question to the name server")
    assert root.run("hostname; hostname --fqdn").split() == ["erode", "erode"]


def test_packets_are_no_longer_than_the_mtu(root: Shell, wire: Wire) -> None:
    wire.sizes.clear()

    def longest() -> int:
        root.attempt(f"ping -c 1 -W 1 -s 3000 {COLLEAGUE}")
        return max(wire.sizes, default=0)

    until(lambda: longest() > 1400 - 8, "a fragment")  # whose payload is a multiple of 8 (RFC 791, 3.1)
    assert max(wire.sizes) <= 1400


def test_time_is_that_of_the_server_that_the_context_names(root: Shell) -> None:
    def ahead() -> float:
        return float(root.run("date +%s")) - time.time()

    until(lambda: "yes" in root.run("timedatectl show -p NTPSynchronized --value"), "time")
    assert abs(ahead() - AHEAD_S) < AHEAD_S / 2
    until(lambda: told(root)["clock_set"] is True, "a clock that is known to be set")


def test_start_script_has_run_once_as_root_and_is_on_the_console(machine: LoneMachine, root: Shell) -> None:
    machine.until_said('it said: "done"', PATIENCE_S)
    assert root.run(f"cat {RAN}") == "by root\n"


def test_security_updates_install_themselves(root: Shell) -> None:
    assert root.run("systemctl is-active apt-daily.timer apt-daily-upgrade.timer").split() == ["active", "active"]
    asked = root.run("unattended-upgrade --dry-run --debug 2>&1")
    assert "origin=Debian,codename=bookworm-security,label=Debian-Security" in asked.replace("${distro_codename}", "")
    assert "-security" in root.run("cat /etc/apt/sources.list")


def test_what_runs_code_that_an_update_replaced_is_told(machine: LoneMachine, root: Shell) -> None:
    """After each round of updates, and by hand; the library is replaced as dpkg does it."""
    hooks = root.run("systemctl show -p OnSuccess -p OnFailure --value apt-daily-upgrade.service").split()
    assert hooks == ["gurney-outdated.service"] * 2
    assert told(root)["restart_wanted"] is False
    library = root.run("readlink -f /lib/x86_64-linux-gnu/libc.so.6").strip()
    root.run(f"cp -p {library} {library}.dpkg-new && mv {library}.dpkg-new {library}")
    root.run("systemctl start gurney-outdated.service")
    machine.until_said("updates take effect once the machine is started again: ", PATIENCE_S)
    assert {"gurney.service", "ssh.service"} <= set(root.run("cat /run/gurney/restart-wanted").split())
    assert told(root)["restart_wanted"] is True


def told(root: Shell) -> dict[str, Any]:
    """What the service says of itself."""
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/health', timeout=30).read().decode())"
    return dict(json.loads(root.run(f'/opt/gurney/current/bin/python -I -c "{ask}"')))


def test_service_cannot_write_what_is_the_systems(root: Shell) -> None:
    """As root in the service's own view of the file system: not even root writes there."""
    inside = "nsenter --target $(systemctl show -p MainPID --value gurney.service) --mount --"
    for place in ("/usr/x", "/etc/x", "/opt/gurney/x", "/var/x", "/root/x", "/boot/x"):
        done = root.attempt(f"{inside} touch {place}")
        assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr, (place, done)
    assert root.run(f"{inside} touch /var/lib/gurney/archive/x && rm /var/lib/gurney/archive/x && echo yes") == "yes\n"
    status = root.run("cat /proc/$(systemctl show -p MainPID --value gurney.service)/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert set(facts["CapEff"]) == set(facts["CapBnd"]) == {"0"}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")


def test_root_cannot_write_in_what_the_host_shares_read_only(machine: LoneMachine, root: Shell) -> None:
    """By 9p, whose server is qemu itself: not even where the machine itself would let it."""
    exchange = machine.folder / "exchange"
    (exchange / "theirs").write_text("as it was")
    own = exchange / "out" / "erode"
    before = outside(own, exchange)
    assert root.run("findmnt -no FSTYPE /mnt/exchange").strip() == "9p"
    root.attempt("mount -o remount,rw /mnt/exchange")
    for attempt in ("echo x > theirs", "rm theirs", "mv theirs x", "mkdir x", "chmod 777 theirs", "ln theirs x"):
        assert root.attempt(f"cd /mnt/exchange && {attempt}").returncode != 0, attempt
    root.run("mount -o remount,ro /mnt/exchange || true; touch /mnt/outbox/own")
    assert (exchange / "theirs").read_text() == "as it was"
    assert outside(own, exchange) == before
    assert (own / "own").exists()


def outside(own: Path, exchange: Path) -> list[Path]:
    return sorted(path for path in exchange.rglob("*") if own not in path.parents)


@pytest.mark.parametrize(
    ("colleague", "neighbour", "guest", "ports"),
    [(COLLEAGUE, NEIGHBOUR, GUEST, ALL_PORTS), (COLLEAGUE6, NEIGHBOUR6, GUEST6, SOME_PORTS)],
    ids=["IPv4", "IPv6"],
)
def test_port_scan_shows_the_services_and_ssh_to_the_own_network_only(
    wire: Wire, colleague: str, neighbour: str, guest: str, ports: Sequence[int]
) -> None:
    """Each of them to the branch's network, and nothing else; to a neighbour's, nothing."""
    seen = wire.scan(colleague, guest, ports)

    def all_seen() -> bool:
        seen.update(wire.scan(colleague, guest, FEW_PORTS))
        return seen >= OPEN

    until(all_seen, "the services")
    assert seen == OPEN
    assert wire.scan(neighbour, guest, ports) == set()


def test_replaced_context_is_taken_over(
    machine: LoneMachine, context: dict[str, str], root: Shell, wire: Wire, tmp_path: Path
) -> None:
    another = make_key(tmp_path / "another")
    service = root.run("systemctl show -p MainPID --value gurney.service")
    scripts = root.run(f"sync {RAN}; cat {RAN}")
    changed = {
        "SET_HOSTNAME": "renamed",
        "GURNEY_ADMIN_NETWORKS": f"10.20.2.0/24 {ADMIN_NETWORK} 2001:db8:2::/64",
        "SSH_PUBLIC_KEY": another.with_suffix(".pub").read_text(),
        "ETH0_MTU": "1300",
        "START_SCRIPT": SCRIPT.replace("by", "again by"),
    }
    machine.change_disc(text_of({**context, **changed}))
    new = Shell(root.address, root.port, another)
    until(lambda: new.attempt("true").returncode == 0, "the new key")
    assert "Permission denied" in root.attempt("true").stderr
    until(lambda: listed(new, "link show eth0")[0]["mtu"] == 1300, "the new MTU")
    until(lambda: new.run(f"cat {RAN}") == f"{scripts}again by root\n", "the new script")
    assert new.run("hostname") == "renamed\n"
    assert new.run("systemctl show -p MainPID --value gurney.service") == service, "nothing of the service changed"
    for source, target in ((NEIGHBOUR, GUEST), (NEIGHBOUR6, GUEST6)):
        until(lambda place=(source, target): wire.scan(*place, FEW_PORTS) == ADMINS, "the admins' ports")
    machine.change_disc(text_of(context))
    until(lambda: root.attempt("true").returncode == 0, "the old key")
    until(lambda: root.attempt(f"cat {RAN}").stdout == f"{scripts}again by root\nby root\n", "the first script")
    until(lambda: wire.scan(NEIGHBOUR, GUEST, (22, 8080)) == set(), "a closed firewall")


def test_context_of_another_branch_closes_the_archive(
    machine: LoneMachine, context: dict[str, str], root: Shell
) -> None:
    """A group's admin can rewrite a VM's context: nobody sees or files anything until the archive's own is back."""
    machine.change_disc(text_of({**context, "GURNEY_BRANCH": "salem", "GURNEY_AE_TITLE": "SALEM"}))
    words = "the archive belongs to kongu/erode, this VM is kongu/salem"
    machine.until_said(f"*** the service cannot start: {words}", PATIENCE_S)
    services = "systemctl is-active gurney.service smbd.service"
    until(lambda: root.attempt(services).stdout.split() == ["inactive", "inactive"], "closed services")
    assert words in root.run("cat /run/gurney/wrong-context")
    assert root.run("cat /var/lib/gurney/branch") == "kongu/erode\n"
    machine.change_disc(text_of(context))
    until(lambda: machine.answers(8080), "the service")
    until(lambda: root.attempt(services).stdout.split() == ["active", "active"], "the shared folder")
    assert root.attempt("cat /run/gurney/wrong-context").returncode != 0


def test_archive_grows_with_its_disk(machine: LoneMachine, root: Shell) -> None:
    def size_mib() -> int:
        return int(root.run("df --output=size -BM /var/lib/gurney | tail -1").strip().removesuffix("M"))

    assert size_mib() < ARCHIVE_MIB
    machine.grow_archive(GROWN_MIB)
    until(lambda: size_mib() > ARCHIVE_MIB, "a larger archive")


def test_disk_of_another_system_has_never_been_written(machine: LoneMachine, root: Shell, foreign: Path) -> None:
    assert root.run("blkid -o value -s LABEL /dev/vdc") == "pacs\n"
    assert sha256(foreign) == foreign.with_suffix(".sha256").read_text()


def test_machine_that_is_reset_is_the_same_again(machine: LoneMachine, root: Shell, foreign: Path) -> None:
    """Power is lost; this time the context is there at boot."""
    facts = "cat /run/gurney/ssh/ssh_host_ed25519_key.pub; cat /var/lib/gurney/branch; df --output=size /var/lib/gurney"
    before, boot = root.run(facts), root.run("cat /proc/sys/kernel/random/boot_id")
    scripts = root.run(f"sync {RAN}; cat {RAN}")
    machine.order("system_reset")
    until(lambda: root.attempt("cat /proc/sys/kernel/random/boot_id").stdout not in {"", boot}, "another boot")
    until(lambda: machine.answers(8080), "the service")
    assert root.run(facts) == before
    until(lambda: root.run(f"cat {RAN}") == f"{scripts}by root\n", "the script")
    assert root.run("systemctl --failed --no-legend --plain") == ""
    assert sha256(foreign) == foreign.with_suffix(".sha256").read_text()


def test_host_key_outlives_a_power_cut_right_after_it_was_shown(
    appliance_image: Path, foreign: Path, context: dict[str, str], tmp_path: Path
) -> None:
    """What an admin has read from the console holds."""
    nobody = f"local.type=unix,local.path={tmp_path}/card,remote.type=unix,remote.path={tmp_path}/nobody"
    own = tmp_path / "foreign.raw"
    shutil.copyfile(foreign, own)  # a machine of this module has the other, and qemu's lock on it
    machine = LoneMachine(tmp_path / "machine", appliance_image, nobody, own)
    told = []
    try:
        for _ in range(2):
            machine.start({"context.sh": text_of(context).encode()}, "CONTEXT")
            machine.until_said("SSH host key: ", PATIENCE_S)
            until(lambda: machine.console().split("SSH host key: ")[1].count("\n"), "the whole line")
            machine.end()
            told.append(machine.console().split("SSH host key: ")[1].split()[0])
            qemu_command.console(machine.guest).unlink()
    finally:
        machine.end()
    assert told[0].startswith("SHA256:")
    assert told == told[:1] * 2
