"""What the guest of a branch's appliance reports of itself through OneGate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.proof import prove

if TYPE_CHECKING:
    from exchange.keys import BranchKeys
    from tests.provision.conftest import Office


def vm_of(office: Office, branch: str) -> int:
    return office.found().view.appliances[branch].id


def report(
    office: Office, branch: str, keys: BranchKeys, *, vm: int | None = None, as_branch: str | None = None
) -> None:
    """Write what the guest of a branch's appliance would report through OneGate."""
    number = vm_of(office, branch)
    proof = prove(keys, "kongu", as_branch or branch, number if vm is None else vm)
    text = f'GURNEY_SIGN_KEY="{keys.public.sign}"\nGURNEY_SEAL_KEY="{keys.public.seal}"\nGURNEY_PROOF="{proof}"'
    office.raw("vm.update", number, text, 1)
