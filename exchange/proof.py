"""Proof of possession: that who reports a public key holds its secret half, as this branch in this VM."""

import base64
import binascii

from pydantic.dataclasses import dataclass as document

from exchange.canonical import STRICT, Count, Document, Name
from exchange.errors import BadSignature, ExchangeError
from exchange.keys import BranchKeys, PublicKeys, VerifyKey
from exchange.signing import message


@document(frozen=True, config=STRICT)
class _Possession(Document):
    community: Name
    branch: Name
    vm_id: Count
    keys: PublicKeys


@document(frozen=True, config=STRICT)
class _HandOver(Document):
    community: Name
    branch: Name
    old: PublicKeys
    new: PublicKeys


@document(frozen=True, config=STRICT)
class _Request(Document):
    community: Name
    branch: Name
    vm_id: Count
    request: str


_PROOF = "proof of possession"
_REQUEST = "request for a certificate"
_HAND_OVER = "hand-over of keys"


def prove(keys: BranchKeys, community: str, branch: str, vm_id: int) -> str:
    """A line of base64 that says: these keys are mine, and I am this branch's appliance in this VM."""
    statement = _Possession(community=community, branch=branch, vm_id=vm_id, keys=keys.public)
    return _signature(_PROOF, statement, keys)


def check_proof(text: str, public: PublicKeys, community: str, branch: str, vm_id: int) -> None:
    """Raise `BadSignature` unless `text` proves the keys for this community, branch and VM.

    The signing key vouches for the sealing key beside it: an `age` key cannot sign. Who reports
    another's sealing key makes only the own mail unreadable.
    """
    statement = _Possession(community=community, branch=branch, vm_id=vm_id, keys=public)
    _check(_PROOF, statement, text, public.verify_key)


def prove_request(keys: BranchKeys, request: str, community: str, branch: str, vm_id: int) -> str:
    """A line of base64 by which a branch's signing key vouches for a request for a certificate."""
    return _signature(_REQUEST, _Request(community=community, branch=branch, vm_id=vm_id, request=request), keys)


def check_request(text: str, request: str, public: PublicKeys, community: str, branch: str, vm_id: int) -> None:
    """Raise `BadSignature` unless the holder of the branch's keys made the request, for this branch and VM."""
    statement = _Request(community=community, branch=branch, vm_id=vm_id, request=request)
    _check(_REQUEST, statement, text, public.verify_key)


def hand_over(old: BranchKeys, new: PublicKeys, community: str, branch: str) -> str:
    """A line of base64 by which the old keys' holder names the new keys."""
    return _signature(_HAND_OVER, _HandOver(community=community, branch=branch, old=old.public, new=new), old)


def check_hand_over(text: str, old: PublicKeys, new: PublicKeys, community: str, branch: str) -> None:
    """Raise `BadSignature` unless the holder of the old keys named the new ones."""
    statement = _HandOver(community=community, branch=branch, old=old, new=new)
    _check(_HAND_OVER, statement, text, old.verify_key)


def _signature(purpose: str, statement: Document, keys: BranchKeys) -> str:
    return base64.b64encode(keys.sign.sign(message(purpose, statement.encode()))).decode()


def _check(purpose: str, statement: Document, text: str, key: VerifyKey) -> None:
    try:
        signature = base64.b64decode(text, validate=True)
        key.verify(signature, message(purpose, statement.encode()))
    except (ValueError, binascii.Error, ExchangeError):
        raise BadSignature(f"no {purpose}: the reported key did not sign it, or signed it elsewhere") from None
