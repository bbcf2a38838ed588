"""The appliance's firewall with a wire to its neighbours, in network namespaces of their own: who gets in, how often.

`unshare --map-root-user --net python two_networks.py RULES` writes a line of JSON: how many of the connections that an
address had open at a time came about, for each address and port.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

PORTS = (22, 445, 8080, 11112)
TRIED = 40
#: How long the stranger waits, whom nobody answers; the others are waited for until each is let in or turned away.
SILENCE_S = 2.0
#: Within which that has happened, and the kernel has seen that connections have ended.
PATIENCE_S = 60.0
#: Machine and neighbours, on IPv4 and IPv6; the ruleset's sets are filled with their networks.
MACHINE = ("10.9.0.1", "fd09::1")
NEIGHBOURS = ("10.9.0.2", "10.9.0.3", "fd09::2", "fd09::3")
STRANGER = "10.8.0.2"
SETS = {"branch4": "10.9.0.0/24", "branch6": "fd09::/64"}


def main() -> None:
    """Make the wire, load the rules, listen, and let the neighbours knock."""
    with ExitStack() as opened:
        neighbours = opened.enter_context(subprocess.Popen(["unshare", "--net", "sleep", "600"]))
        opened.callback(neighbours.kill)
        there = f"/proc/{neighbours.pid}/ns/net"
        while Path(there).stat().st_ino == Path("/proc/self/ns/net").stat().st_ino:
            time.sleep(0.01)
        join(str(neighbours.pid))
        run("nft", "-f", sys.argv[1])
        for name, network in SETS.items():
            run("nft", f"add element inet gurney {name} {{ {network} }}")
        for port in PORTS:
            opened.enter_context(listening(port))
        knock = (f"--net={there}", sys.executable, __file__, "--knock")
        print(subprocess.run(["nsenter", *knock], check=True, capture_output=True, text=True).stdout)


def join(pid: str) -> None:
    """A wire between this namespace and that of a process, and everybody's addresses on it."""
    there = ("nsenter", f"--net=/proc/{pid}/ns/net")
    run("ip", "link", "add", "own", "type", "veth", "peer", "name", "other", "netns", pid)
    for address in (f"{MACHINE[0]}/24", f"{MACHINE[1]}/64", "10.8.0.1/24"):
        run("ip", "address", "add", address, "dev", "own", *nodad(address))
    for address in (*(f"{one}/{64 if ':' in one else 24}" for one in NEIGHBOURS), f"{STRANGER}/24"):
        run(*there, "ip", "address", "add", address, "dev", "other", *nodad(address))
    run("ip", "link", "set", "own", "up")
    run(*there, "ip", "link", "set", "other", "up")


def nodad(address: str) -> tuple[str, ...]:
    """An IPv6 address is usable at once where nobody is asked whether it is theirs."""
    return ("nodad",) if ":" in address else ()


def listening(port: int) -> socket.socket:
    """Whoever connects to this port, over either protocol, waits in the backlog, which is a connection already."""
    return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1000)


def knock() -> None:
    """How many connections each address gets at a time, and how many again once it has closed them."""
    told = {}
    for address in (*NEIGHBOURS, STRANGER):
        target = MACHINE[1] if ":" in address else "10.8.0.1" if address == STRANGER else MACHINE[0]
        for port in PORTS:
            first = got(address, target, port)
            told[f"{address} {port}"] = [first, got_again(first, address, target, port)]
    print(json.dumps(told))


def got(address: str, target: str, port: int) -> int:
    """How many of the connections come about, that one address tries to have at a time."""
    with ExitStack() as opened:
        tried = [opened.enter_context(begun(address, target, port)) for _ in range(TRIED)]
        end = time.monotonic() + (SILENCE_S if address == STRANGER else PATIENCE_S)
        while len(select.select([], tried, [], 0)[1]) < TRIED and time.monotonic() < end:
            time.sleep(0.01)
        return sum(is_connected(one) for one in tried)


def got_again(first: int, address: str, target: str, port: int) -> int:
    """As many again; the kernel looks which have ended when others come, at a few of them each time."""
    again, end = -1, time.monotonic() + PATIENCE_S
    while again != first and time.monotonic() < end:
        again = got(address, target, port)
        time.sleep(0.05)
    return again


def begun(address: str, target: str, port: int) -> socket.socket:
    """A connection that is being made."""
    one = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    one.setblocking(False)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed at once, at both ends
    one.bind((address, 0))
    one.connect_ex((target, port))
    return one


def is_connected(one: socket.socket) -> bool:
    """Whether somebody is at the other end."""
    try:
        one.getpeername()
    except OSError:
        return False
    return True


def run(*command: str) -> None:
    """Run a program, or end with what it says."""
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command}: {done.stderr}")


if __name__ == "__main__":
    knock() if "--knock" in sys.argv else main()
