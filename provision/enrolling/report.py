"""What an appliance hands in of itself: its public keys and what proves them, through OneGate or over SSH."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from provision.errors import ProvisionError
from provision.node import first

if TYPE_CHECKING:
    from collections.abc import Mapping

    from provision.node import Node
    from provision.planning.view import View

#: A report is a few hundred bytes; who hands in more hands in something else.
MAX_BYTES = 16 << 10
PREFIX = "GURNEY_"


class BadReport(ProvisionError):
    """What an appliance handed in is no report."""


@dataclass(frozen=True)
class Report:
    """Texts as the appliance gave them; nothing is believed of them that they do not prove.

    Attributes
    ----------
    sign_key, seal_key
        Its public keys.
    proof
        That it holds them, as this branch in this VM.
    hand_over
        By which former keys name these; empty where none do.
    tls_request, tls_proof
        For a certificate, and that these keys make it; empty where it asks for none.
    """

    sign_key: str
    seal_key: str
    proof: str
    hand_over: str = ""
    tls_request: str = ""
    tls_proof: str = ""

    @property
    def whole(self) -> bool:
        """Whether there is enough to look at."""
        return bool(self.sign_key and self.seal_key and self.proof)


NAMES = {field.name: f"{PREFIX}{field.name.upper()}" for field in fields(Report)}


def reported(view: View) -> dict[str, Report]:
    """By branch, what guests wrote through OneGate; those of our own VMs only."""
    reports = {name: _of_vm(vm) for name, vm in view.appliances.items()}
    return {name: report for name, report in reports.items() if report.whole}


def read_report(text: str) -> Report:
    """The report that `gurney appliance identity` printed.

    Raises
    ------
    BadReport
        It is none.
    """
    try:
        told = json.loads(text) if len(text) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict) or not all(isinstance(told.get(name, ""), str) for name in NAMES.values()):
        raise BadReport("it did not print its keys as JSON")
    report = _of_texts(told)
    if not report.whole:
        raise BadReport("it printed no keys, or no proof of them")
    return report


def _of_vm(vm: Node) -> Report:
    told = vm.attributes("USER_TEMPLATE")
    return _of_texts({name: first(told, name) for name in NAMES.values()})


def _of_texts(texts: Mapping[str, str]) -> Report:
    return Report(**{field: texts.get(name, "") for field, name in NAMES.items()})
