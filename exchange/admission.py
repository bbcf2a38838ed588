"""The first-key rule: which keys the community takes up in its directory, and which it does not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exchange.directory import DirectoryBranch
from exchange.errors import BadSignature, KeyChanged, NotAllowed
from exchange.proof import check_hand_over, check_proof, check_request
from exchange.tls_key import requested_key

if TYPE_CHECKING:
    from exchange.keys import PublicKeys


@dataclass(frozen=True)
class Applicant:
    """What an appliance reports of itself, beside what the admin knows of its VM.

    `branch`, `title`, `ae_title` and `vm_id` come from the declaration and from the cloud, of a VM that `apply`
    itself made; a guest can write `keys`, `proof`, `hand_over`, `request` and `request_proof` only, and these prove
    themselves.
    """

    branch: str
    title: str
    ae_title: str
    vm_id: int
    keys: PublicKeys
    proof: str
    hand_over: str = ""
    request: str = ""
    request_proof: str = ""


def admitted(
    applicant: Applicant, *, known: DirectoryBranch | None, community: str, rekey: str | None = None
) -> DirectoryBranch:
    """The branch's entry for the next directory; equal to `known` if nothing is new.

    Parameters
    ----------
    applicant
        What is reported, and of which VM.
    known
        The branch's present entry, None before its first key.
    community
        The community that the proof must name.
    rekey
        The fingerprint that an admin has read from the appliance's console: takes new keys, or a revoked branch
        again, and believes nothing any more that former keys signed. Keys of any other fingerprint are not taken,
        the first ones neither.

    Raises
    ------
    BadSignature
        The applicant does not hold the keys, or they were proven for another branch or VM; or its keys do not vouch for
        its request for a certificate.
    Malformed
        Its request for a certificate is none.
    NotAllowed
        The branch is revoked.
    KeyChanged
        They are not the keys that the admin has compared; or they are not the known ones, the known ones did not hand
        over to them, and nobody vouches for the new fingerprint.
    """
    check_proof(applicant.proof, applicant.keys, community, applicant.branch, applicant.vm_id)
    _check_compared(applicant, rekey)
    fresh = _entry(applicant, community)
    if known is None or (rekey == applicant.keys.fingerprint and _is_new(applicant, known)):
        return fresh
    if known.revoked:
        raise NotAllowed(
            f"{known.name} is revoked: to admit it again, compare {applicant.keys.fingerprint} with its appliance's "
            f"console, then take it with --rekey {applicant.keys.fingerprint}"
        )
    if applicant.keys == known.keys:
        tls_key = fresh.tls_key or known.tls_key
        return replace(fresh, previous=known.previous, tls_key=tls_key, certificate=known.certificate)
    _check_hand_over(applicant, known, community)
    return replace(fresh, previous=(known.keys, *known.previous), certificate=known.certificate)


def _check_compared(applicant: Applicant, rekey: str | None) -> None:
    shown = applicant.keys.fingerprint
    if rekey is not None and rekey != shown:
        raise KeyChanged(
            f"{applicant.branch} shows the keys {shown}, not {rekey}: compare with the appliance's console again; it "
            f"is another machine, or a slip",
            rekey,
            shown,
        )


def _entry(applicant: Applicant, community: str) -> DirectoryBranch:
    """What a branch has in the directory that nobody knew before."""
    return DirectoryBranch(
        name=applicant.branch,
        title=applicant.title,
        ae_title=applicant.ae_title,
        vm_id=applicant.vm_id,
        keys=applicant.keys,
        tls_key=_tls_key(applicant, community),
    )


def _is_new(applicant: Applicant, known: DirectoryBranch) -> bool:
    """Whether a vouched-for fingerprint still has anything to change: then it stands alone, and not revoked."""
    return known.revoked or known.signers != (applicant.keys,)


def _tls_key(applicant: Applicant, community: str) -> str:
    """The public key for which it asks a certificate; empty where it asks for none."""
    if not applicant.request:
        return ""
    place = (community, applicant.branch, applicant.vm_id)
    check_request(applicant.request_proof, applicant.request, applicant.keys, *place)
    return requested_key(applicant.request)


def _check_hand_over(applicant: Applicant, known: DirectoryBranch, community: str) -> None:
    try:
        check_hand_over(applicant.hand_over, known.keys, applicant.keys, community, applicant.branch)
    except BadSignature:
        old, new = known.keys.fingerprint, applicant.keys.fingerprint
        raise KeyChanged(
            f"{applicant.branch} shows the keys {new}, known are {old}: compare with the appliance's console, "
            f"then take them with --rekey {new}",
            old,
            new,
        ) from None
