"""What a context becomes on the machine: name, logins, firewall, folders, clock, start script, accounts."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from appliance.boot.accounts import Entry, accounts
from appliance.boot.cards import cards
from appliance.boot.clock import FILE as TIMESYNCD
from appliance.boot.clock import POOL, likely_servers, set_time_servers
from appliance.boot.firewall import networks, sets
from appliance.boot.folders import Folder, folders
from appliance.boot.logins import HOST_KEY, allow_logins, make_host_key, public_keys, show_host_key
from appliance.boot.machine import Machine, Trouble, run, write
from appliance.boot.names import host_name
from appliance.boot.network import FALLBACK_NAME, UNITS, set_up_network
from appliance.boot.remote_exchange import mount_remote, remote_folders
from appliance.boot.start_script import lay_out_start_script, start_script

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ admin@desk"
CARD = {"ETH0_MAC": "02:00:00:00:00:01", "ETH0_IP": "10.20.1.10", "ETH0_GATEWAY": "10.20.1.1"}


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"SET_HOSTNAME": "Erode", "GURNEY_BRANCH": "salem"}, "erode"),
        ({"SET_HOSTNAME": " ", "GURNEY_BRANCH": "salem"}, "salem"),
        ({"HOSTNAME": "pacs_1.example.org"}, "pacs-1.example.org"),
        ({"SET_HOSTNAME": "$(reboot)"}, "reboot"),
        ({"SET_HOSTNAME": "..."}, "gurney"),
        ({}, "gurney"),
    ],
)
def test_host_name(variables: dict[str, str], name: str) -> None:
    assert host_name(variables) == name


def test_only_public_keys_are_let_in(tmp_path: Path) -> None:
    keys, wrong = public_keys({"SSH_PUBLIC_KEY": f'{KEY}\n\n{KEY}\ncommand="sh" {KEY}\nnonsense'})
    assert (keys, wrong) == ([KEY], 2)
    machine = Machine(tmp_path)
    assert allow_logins(machine, keys)
    file = machine.path("/run/gurney/ssh/authorized_keys")
    assert file.read_text() == f"{KEY}\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert not allow_logins(machine, keys)
    assert allow_logins(machine, [])
    assert file.read_text() == ""


def shown(public: Path) -> str:
    return subprocess.run(["ssh-keygen", "-l", "-f", public], capture_output=True, text=True, check=True).stdout


def test_host_key_is_made_once_and_kept(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    first, second = (Machine(tmp_path / name) for name in ("first", "second"))
    told = show_host_key(first, kept)
    used = first.path("/run/gurney/ssh", HOST_KEY)
    assert shown(used.with_suffix(".pub")).split()[1] == told
    assert used.stat().st_mode & 0o777 == 0o600
    (kept / f"{HOST_KEY}.pub").unlink()
    (kept / HOST_KEY).chmod(0o644)
    assert show_host_key(second, kept) == told, "on another root disk"
    assert not first.troubles + second.troubles


@pytest.mark.parametrize("left", [b"", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"])
def test_host_key_that_a_power_cut_has_emptied_is_made_again(tmp_path: Path, left: bytes) -> None:
    """An inode that is on the disk without its content, as ext4 leaves a file that was renamed unflushed."""
    machine, kept = Machine(tmp_path), tmp_path / "kept"
    kept.mkdir()
    for name in (HOST_KEY, f"{HOST_KEY}.pub"):
        (kept / name).write_bytes(left)
    told = show_host_key(machine, kept)
    assert told.startswith("SHA256:")
    assert machine.troubles == [
        "the SSH host key that was kept cannot be read, there is another now: compare its fingerprint"
    ]
    assert (kept / f"{HOST_KEY}.unreadable").read_bytes() == left
    assert show_host_key(machine, kept) == told


def test_host_key_is_on_the_disk_before_it_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both halves before they have their names, and their names as well."""
    flushed: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        flushed.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    make_host_key(tmp_path)
    new = tmp_path / "new_key"
    assert flushed == [str(path) for path in (new, new.with_suffix(".pub"), tmp_path)]


def test_firewall_sets_are_emptied_before_they_are_filled() -> None:
    own = [network for card in cards({**CARD, "ETH0_IP6": "2001:db8::5"}) for network in card.networks]
    assert sets({"branch": own, "admins": networks({"A": "10.0.0.1/24, 10.9.0.0/16"}, "A")[0]}) == (
        "flush set inet gurney branch4\nadd element inet gurney branch4 { 10.20.1.0/24 }\n"
        "flush set inet gurney branch6\nadd element inet gurney branch6 { 2001:db8::/64 }\n"
        "flush set inet gurney admins4\nadd element inet gurney admins4 { 10.0.0.0/24, 10.9.0.0/16 }\n"
        "flush set inet gurney admins6\n"
    )


def test_what_is_no_network_is_told() -> None:
    named = {"A": "10.0.0.0/24 } ; flush, 10.1.0.0/16 fe80::%eth0/64"}
    found, wrong = networks(named, "A")
    assert found == [IPv4Network("10.0.0.0/24"), IPv4Network("10.1.0.0/16")]
    assert wrong == ["}", ";", "flush", "fe80::%eth0/64"]


EXCHANGE = {
    "DISK2_MOUNT_TAG": "exchange",
    "DISK2_MOUNT_POINT": "/mnt/exchange",
    "DISK3_MOUNT_TAG": "outbox",
    "DISK3_MOUNT_POINT": "/mnt/outbox",
}


def test_folders_of_others_are_read_only() -> None:
    found, wrong = folders(EXCHANGE)
    assert found == [Folder("exchange", "/mnt/exchange"), Folder("outbox", "/mnt/outbox")]
    assert [folder.read_only for folder in found] == [True, False]
    assert not wrong


@pytest.mark.parametrize("point", ["", "/etc", "/srv/pacs", "/mnt/..", "/mnt/a/b", "/mnt/x -o exec", "/mnt/x\n"])
@pytest.mark.parametrize("disk", [1, 4])
def test_folder_is_mounted_below_mnt_only_and_costs_itself_alone(disk: int, point: str) -> None:
    further = {f"DISK{disk}_MOUNT_TAG": "pacs", f"DISK{disk}_MOUNT_POINT": point}
    found, (words,) = folders({**EXCHANGE, **further})
    assert [folder.tag for folder in found] == ["exchange", "outbox"]
    assert words == f"DISK{disk}_MOUNT_POINT={point!r} in the context: a shared folder is mounted at /mnt/NAME only"


REMOTE = {"GURNEY_BRANCH": "erode", "GURNEY_EXCHANGE": "nfs://10.20.0.9/srv/exchange"}


def test_an_exchange_by_nfs_is_mounted_when_it_is_looked_into(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert mount_remote(machine, REMOTE)
    assert not mount_remote(machine, REMOTE), "systemd knows it already"
    units = {path.name: path.read_text() for path in machine.path("/run/systemd/system").iterdir()}
    assert set(units) == {f"mnt-{tag}.{kind}" for tag in ("exchange", "outbox") for kind in ("mount", "automount")}
    assert (
        "What=10.20.0.9:/srv/exchange\nWhere=/mnt/exchange\nType=nfs4\nOptions=ro,nosuid" in units["mnt-exchange.mount"]
    )
    assert "What=10.20.0.9:/srv/exchange/out/erode\nWhere=/mnt/outbox" in units["mnt-outbox.mount"]
    assert "Options=rw,nosuid,nodev,noexec,vers=4.2" in units["mnt-outbox.mount"]
    assert machine.path("/mnt/outbox").stat().st_mode & 0o777 == 0o555, "nothing is written beside the mount"
    assert not mount_remote(Machine(tmp_path / "other"), {"GURNEY_BRANCH": "erode"})


@pytest.mark.parametrize("tool", ["systemd-analyze"])
def test_systemd_understands_the_units(tmp_path: Path, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip("systemd is not installed here")
    machine = Machine(tmp_path)
    mount_remote(machine, REMOTE)
    units = sorted(str(path) for path in machine.path("/run/systemd/system").iterdir())
    done = subprocess.run([tool, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert not [line for line in done.stderr.splitlines() if "mnt-" in line], done.stderr


@pytest.mark.parametrize(
    "source", ["/srv/exchange", "nfs://server/srv", "nfs://10.20.0.9", "nfs://10.20.0.9/a b", "nfs://10.20.0.999/srv"]
)
def test_an_exchange_that_is_not_understood_is_told(source: str) -> None:
    with pytest.raises(Trouble, match="GURNEY_EXCHANGE"):
        list(remote_folders({**REMOTE, "GURNEY_EXCHANGE": source}))


def test_time_comes_from_whom_the_context_names_else_from_the_front_end() -> None:
    onegate = {"ONEGATE_ENDPOINT": "http://10.0.0.2:5030"}
    assert likely_servers(onegate, cards(CARD)) == ["10.0.0.2", "10.20.1.1", *POOL]
    assert likely_servers({}, ()) == [*POOL]
    assert likely_servers({"ONEGATE_ENDPOINT": "http://[fd00::1:5030"}, cards(CARD)) == ["10.20.1.1", *POOL]


def test_whom_nobody_named_as_a_clock_shuts_nobody_out(tmp_path: Path) -> None:
    """timesyncd.conf(5): FallbackNTP= is relevant only where no other server is known."""
    machine, onegate = Machine(tmp_path), {"ONEGATE_ENDPOINT": "http://10.0.0.2:5030"}
    assert set_time_servers(machine, onegate, cards(CARD))
    assert machine.path(TIMESYNCD).read_text() == f"[Time]\nFallbackNTP=10.0.0.2 10.20.1.1 {' '.join(POOL)}\n"
    assert set_time_servers(machine, {**onegate, "NTP_SERVERS": "a.example, b.example"}, cards(CARD))
    assert machine.path(TIMESYNCD).read_text() == "[Time]\nNTP=a.example b.example\n"


def test_start_script_plain_or_in_base64(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    encoded = base64.b64encode(b"echo ok\n").decode()
    assert start_script({"START_SCRIPT": "echo plain"}) == "echo plain"
    assert lay_out_start_script(machine, {"START_SCRIPT": "echo plain", "START_SCRIPT_BASE64": encoded})
    script = machine.path("/run/gurney/start-script")
    assert run("sh", str(script)) == "ok\n"
    assert not lay_out_start_script(machine, {})
    assert not script.exists()
    with pytest.raises(Trouble, match="START_SCRIPT_BASE64"):
        start_script({"START_SCRIPT_BASE64": "%%%"})


def test_machine_without_a_context_asks_dhcp_and_forgets_it_later(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    assert set_up_network(machine, (), (), ())
    assert [path.name for path in machine.path(UNITS).iterdir()] == [FALLBACK_NAME]
    assert set_up_network(machine, cards(CARD), (), ())
    assert [path.name for path in machine.path(UNITS).iterdir()] == ["10-gurney-0.network"]
    assert not set_up_network(machine, cards(CARD), (), ())


def test_accounts_are_taken_from_a_list_and_from_nothing_else() -> None:
    digest = "8846F7EAEE8FB117AD06BDD830B7586C"
    assert accounts(f"dr.anbu:{digest}\nr.devi:{digest}:inbox\n") == {
        "dr.anbu": Entry(digest),
        "r.devi": Entry(digest, "inbox"),
    }
    assert accounts("") == {}
    for line in (
        f"root:0:{digest}",
        f"--help:{digest}",
        f"Dr:{digest}",
        f"a:{digest}\0",
        "a:",
        f"a:{digest}:all",
        f"a:{digest}:inbox:",
        f"{'a' * 33}:{digest}",
    ):
        with pytest.raises(Trouble, match="nobody is let in anew"):
            accounts(f"dr.anbu:{digest}\n{line}\n")


def test_file_is_written_whole_or_left_alone(tmp_path: Path) -> None:
    assert write(tmp_path / "a" / "b", "text", mode=0o600)
    assert not write(tmp_path / "a" / "b", "text", mode=0o600)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Trouble("no disk"), "no disk"),
        (PermissionError(1, "not permitted"), "[Errno 1] not permitted"),
        (ValueError("Invalid IPv6 URL"), "a step failed as nobody had foreseen: ValueError: Invalid IPv6 URL"),
        (KeyError("x"), "a step failed as nobody had foreseen: KeyError: 'x'"),
    ],
)
def test_step_that_fails_costs_itself_alone(
    tmp_path: Path, error: Exception, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def step() -> str:
        raise error

    machine = Machine(tmp_path)
    assert machine.take(step, "otherwise") == "otherwise"
    assert machine.take(lambda: "done", "otherwise") == "done"
    assert machine.troubles == [words]
    assert ("Traceback" in capfd.readouterr().err) == ("foreseen" in words), "a fault of ours keeps its place"


def test_program_that_fails_is_told_by_its_last_line() -> None:
    with pytest.raises(Trouble, match="sh failed: the reason"):
        run("sh", "-c", "echo noise >&2; echo the reason >&2; exit 3")
    with pytest.raises(Trouble, match="did not end within"):
        run("sleep", "5", timeout_s=0.1)
    with pytest.raises(Trouble, match="not installed"):
        run("no-such-program")
