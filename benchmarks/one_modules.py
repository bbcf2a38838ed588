"""Gurney beside the `one_*` modules of Ansible's community.general: the objects that both can make, on the same cloud.

Ansible is installed into an environment that only this benchmark uses. Its modules make networks, images, VM templates
and VMs; Gurney makes these, and the groups, VDCs, rules, quotas and locks that Ansible has no modules for, in its time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.embedded import Embedded, embedded
from benchmarks.provisioning import DELAY_MS, EXAMPLE

if TYPE_CHECKING:
    from benchmarks.targets import Figures

HERE = Path(__file__).parent
ENVIRONMENT = HERE.parent / ".venv" / "ansible"
MODULES = "community.general"
IMAGES, ZONE = 1, 0

Task = dict[str, Any]


def one_modules(_folder: Path, _repeat: int, quick: bool) -> Figures:
    """For `make bench`: seconds from start to end, making everything, and again when nothing is to be done."""
    branches = 5 if quick else 10
    programs = installed()
    figures: Figures = {}
    for name, run in (("gurney", _gurney), ("ansible", _ansible)):
        with tempfile.TemporaryDirectory() as folder, embedded(Path(folder), DELAY_MS) as cloud:
            declared = _written(Path(folder), branches)
            for turn in ("made", "again"):
                began = time.perf_counter()
                run(programs, cloud, declared)
                figures[f"one_modules/{turn}/{name}"] = round(time.perf_counter() - began, 2)
    return figures


def installed() -> Path:
    """Where Ansible's programs are; they are installed when they are asked for first."""
    programs = ENVIRONMENT / "bin"
    if not (programs / "ansible-playbook").exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        pip = [programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", HERE / "ansible-requirements.txt"], check=True)
    return programs


def _written(folder: Path, branches: int) -> Path:
    """A community file with so many branches."""
    told = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    one = told["branches"]["karur"]
    told["branches"] = {f"b{number}": _branch(one, number) for number in range(branches)}
    told["exchange"]["admin"] = str(folder / "state/host/srv/exchange")
    del told["referrals"]
    path = folder / "community.yaml"
    path.write_text(yaml.safe_dump(told), encoding="utf-8")
    return path


def _branch(one: dict[str, Any], number: int) -> dict[str, Any]:
    net = f"10.30.{number}"
    network = {"cidr": f"{net}.0/24", "gateway": f"{net}.1", "vlan": 100 + number, "appliance": f"{net}.10"}
    modalities = [{"ae_title": "XR1", "host": f"{net}.50"}]
    return {**one, "ae_title": f"B{number}", "network": network, "modalities": modalities}


def _gurney(_programs: Path, cloud: Embedded, declared: Path) -> None:
    own = {"GURNEY_IDENTITY": str(declared.with_name("identity.txt"))}
    where = {"ONE_XMLRPC": cloud.endpoint, "ONE_AUTH": str(cloud.auth_file)}
    program = [sys.executable, "-m", "cli", "apply", "--yes", "--json", "-f", str(declared)]
    _run(program, {**os.environ, **where, **own})


def _ansible(programs: Path, cloud: Embedded, declared: Path) -> None:
    playbook = declared.with_name("playbook.json")
    branches = yaml.safe_load(declared.read_text(encoding="utf-8"))["branches"]
    playbook.write_text(json.dumps([_play(programs, branches)]), encoding="utf-8")
    user, _, password = cloud.auth_file.read_text().strip().partition(":")
    where = {"ONE_URL": cloud.endpoint, "ONE_USERNAME": user, "ONE_PASSWORD": password}
    own = {"ANSIBLE_HOME": str(declared.with_name("ansible")), "ANSIBLE_LOCALHOST_WARNING": "False"}
    _run([str(programs / "ansible-playbook"), "-i", "localhost,", str(playbook)], {**os.environ, **where, **own})


def _play(programs: Path, branches: dict[str, Any]) -> Task:
    python = {"ansible_connection": "local", "ansible_python_interpreter": str(programs / "python")}
    return {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": python,
        "tasks": [
            _task(module, [arguments(name, each) for name, each in branches.items()]) for module, arguments in MADE
        ],
    }


def _task(module: str, items: list[Task]) -> Task:
    """One task over all branches, as a playbook has it."""
    return {f"{MODULES}.{module}": {key: f"{{{{ item.{key} }}}}" for key in items[0]}, "loop": items}


def _network(name: str, branch: dict[str, Any]) -> Task:
    own = branch["network"]
    ranges = f'AR=[TYPE="IP4",IP="{own["appliance"]}",SIZE="200"]'
    driver = f'VN_MAD="802.1Q"\nPHYDEV="eth1"\nVLAN_ID="{own["vlan"]}"\nGATEWAY="{own["gateway"]}"'
    return {"name": f"kongu.{name}", "template": f"{driver}\n{ranges}"}


def _image(name: str, _branch: dict[str, Any]) -> Task:
    block = 'TYPE="DATABLOCK"\nSIZE="204800"\nPERSISTENT="YES"\nFORMAT="raw"\nDEV_PREFIX="vd"'
    return {"name": f"kongu.{name}.archive", "create": True, "datastore_id": IMAGES, "template": block}


def _template(name: str, branch: dict[str, Any]) -> Task:
    own = branch["network"]
    parts = f'DISK=[IMAGE="kongu.{name}.archive"]\nNIC=[NETWORK="kongu.{name}",IP="{own["appliance"]}"]'
    return {"name": f"kongu.{name}", "template": f'CPU="2"\nVCPU="2"\nMEMORY="4096"\n{parts}'}


def _vm(name: str, _branch: dict[str, Any]) -> Task:
    counted = {"name": f"kongu.{name}"}
    return {
        "template_name": f"kongu.{name}",
        "exact_count": 1,
        "attributes": counted,
        "count_attributes": counted,
        "wait": False,
    }


#: Module to what it is told of each branch, in the order in which the objects need each other.
MADE = (("one_vnet", _network), ("one_image", _image), ("one_template", _template), ("one_vm", _vm))


def _run(program: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, cwd=HERE.parent)
    if done.returncode:
        raise RuntimeError(f"{program[0]} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
