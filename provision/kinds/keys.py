"""The community's keys, in a Document of the cloud that only its admins can open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exchange.community import CommunityKeys, unlocked
from exchange.errors import CannotOpen
from provision.enrolling.certificates import AUTHORITY_KEY
from provision.enrolling.identity import write_secret
from provision.errors import NoIdentity
from provision.kind import REPLACE, Kind
from provision.node import first
from provision.planning.marks import Mark, object_name
from provision.planning.resource import Existing, Ref, Resource
from provision.pools import DOCUMENT_TYPE
from templates.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from provision.declaring.community import Community
    from provision.desk import Desk
    from provision.enrolling.identity import Identity
    from provision.kind import Act
    from provision.node import Node
    from provision.planning.view import View

#: The way of who is the only admin.
OR_RECOVER = ". Nobody can? Do it with the recovery secret: GURNEY_IDENTITY=FILE gurney apply (docs/recovery.md)"

BODY, ADMINS = "GURNEY_BODY", "GURNEY_ADMINS"
COMMUNITY_KEY, RECOVERY_KEY = PUBLIC = ("GURNEY_COMMUNITY_KEY", "GURNEY_RECOVERY_KEY")


@dataclass(frozen=True)
class Keys:
    """Who may open the keys, beside whoever locked them last; what they are is not declared.

    Attributes
    ----------
    authority
        Whether one that signs certificates is among them: those from before there was one have none.
    """

    admins: frozenset[str]
    authority: bool = True


def declared(community: Community) -> Iterator[Resource]:
    """One pair of keys for the community."""
    spec = Keys(frozenset(community.admins.values()))
    yield Resource(Ref("keys"), object_name(community.community, "keys"), spec)


def found(view: View) -> Iterator[Existing]:
    """The keys document, if it stands."""
    for key, node in view.ours("keys"):
        admins = frozenset(first(node.attributes(), ADMINS).splitlines())
        authority = bool(first(node.attributes(), AUTHORITY_KEY))
        yield Existing(Ref("keys", key), node.name, Keys(admins, authority), node.id, key, node)


def create(act: Act, resource: Resource) -> int:
    """Make keys, keep the recovery secret in a file before anything else, and lock the rest into a Document."""
    keys, secret = CommunityKeys.generate()
    path = recovery_path(act.desk.identity, act.community, keys)
    write_secret(path, secret)
    words = f"{path} holds the community's recovery secret: move it into a safe, and delete the file."
    act.notes.append(words)
    act.desk.notes.append(words)
    number = int(act.call("document.allocate", _text(act, resource, keys), DOCUMENT_TYPE))
    act.values.update(values_of(public_texts(keys)))
    act.recovery_file = path
    return number


def lock_anew(act: Act, resource: Resource, number: int, _found: Existing | None) -> None:
    """Lock the keys to the admins who are declared now, and to the one who does it; with an authority from now on."""
    keys = act.opened_keys().with_authority()
    act.call("document.update", number, _text(act, resource, keys), REPLACE)
    act.opened_keys = lambda: keys


def relock(desk: Desk, community: Community, number: int, keys: CommunityKeys) -> None:
    """Put other keys into the Document, locked as `apply` would lock them."""
    (resource,) = declared(community)
    text = render(
        "keys",
        mark=Mark(community.community, "keys", ""),
        resource_name=resource.name,
        **_values(desk.identity, resource, keys),
    )
    desk.cloud.call("document.update", number, text, REPLACE)


def _text(act: Act, resource: Resource, keys: CommunityKeys) -> str:
    return act.text("keys", resource, **_values(act.desk.identity, resource, keys))


def _values(identity: Identity, resource: Resource, keys: CommunityKeys) -> dict[str, Any]:
    admins = sorted(resource.spec.admins)
    body = keys.locked(list(dict.fromkeys([identity.recipient, *admins])))
    authority = {AUTHORITY_KEY: keys.authority.key_id} if keys.authority is not None else {}
    return {"body": body, "public": public_texts(keys) | authority, "admins": "\n".join(admins)}


def recovery_path(identity: Identity, community: str, keys: CommunityKeys) -> Path:
    """Where the recovery secret is written: beside the admin's identity, under a name of its own."""
    short = "".join(sign for sign in keys.recovery.text if sign.isalnum())[:8]
    return identity.path.with_name(f"recovery-{community}-{short}.txt")


def public_texts(keys: CommunityKeys) -> dict[str, str]:
    """The public keys, by the names that contexts give them."""
    return {COMMUNITY_KEY: keys.sign.public.text, RECOVERY_KEY: keys.recovery.text}


def values_of(texts: dict[str, str]) -> dict[Ref, str]:
    """What contexts refer to, and the texts that stand for it."""
    return {Ref("keys", name): text for name, text in texts.items()}


def opened(document: Node, identity: Identity) -> CommunityKeys:
    """The community's keys, opened by an admin.

    Raises
    ------
    NoIdentity
        When they are not locked to this admin.
    """
    try:
        return unlocked(str(document.attributes().get(BODY, "")), identity.secrets)
    except CannotOpen as error:
        if identity.made:
            words = f"you have no identity yet that opens {document.name}: make one with `gurney identity`"
            raise NoIdentity(f"{words}, and ask an admin to put it under `admins:` and to apply{OR_RECOVER}") from error
        words = f"{identity.path} does not open {document.name}: ask an admin who can to put {identity.recipient}"
        raise NoIdentity(f"{words} under `admins:` in the community file, and to apply{OR_RECOVER}") from error


def remove(act: Act, found: Existing) -> None:
    """Delete the keys; what was sealed to the community can then be opened with the recovery secret alone."""
    act.call("document.delete", found.id)


KIND = Kind(
    name="keys",
    declared=declared,
    found=found,
    create=create,
    in_place={"admins": lock_anew, "authority": lock_anew},
    remove=remove,
)
