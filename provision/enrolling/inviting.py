"""Another invitation for one person: the password is forgotten, or the code was lost or ran out."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from exchange import places
from exchange import settings as all_settings
from exchange.errors import AlreadyThere
from exchange.invitation import invite
from provision.enrolling.published import TRIES, NewInvitation, next_version, sealing_key, settings_as_published
from provision.enrolling.restored import overtaken
from provision.errors import Busy, ProvisionError
from provision.fleet.branch_status import statuses_of
from provision.planning.found import found

if TYPE_CHECKING:
    from exchange.settings import Settings, StaffMember
    from provision.declaring.community import Community
    from provision.desk import Desk


def invite_again(desk: Desk, community: Community, name: str, login: str) -> NewInvitation:
    """
    Publish a declared branch's settings as they stand, with another invitation of one person.

    A code of before is worth nothing any more; a password holds until the new code is used. What the community file
    says otherwise by now is left to the next apply.

    Returns
    -------
    NewInvitation
        It stands among the desk's invitations as soon as it is published.

    Raises
    ------
    ProvisionError
        The branch is not enrolled, or revoked, or its published settings name nobody of that login.
    Busy
        Other admins publish all the time.
    """
    now = found(desk, community.community)
    first, own = community.first_name(name), community.community
    there = None if now.view.is_anothers(first) else now.view.published.settings.get(first)
    if there is None or now.keys is None:
        raise ProvisionError(f"{name} is not enrolled yet; its people are invited when it is: `gurney apply --wait`")
    _member(there, community, name, login)
    above = overtaken(now, statuses_of(community, now)).get(name, 0)
    code, invitation = invite(datetime.now(UTC))
    for _ in range(TRIES):
        key = sealing_key(desk.store, now.keys, own, first, even_revoked=False)
        before = settings_as_published(desk.store, now.keys, own, first) or there
        member = _member(before, community, name, login)
        staff = tuple(replace(each, invitation=invitation) if each == member else each for each in before.staff)
        version = next_version(desk.store, places.settings_of(first), max(above, before.version))
        with suppress(AlreadyThere):
            following = replace(before, version=version, staff=staff, sealed_to=key)
            all_settings.publish(desk.store, following, now.keys.sign, [key, now.keys.seal.public])
            made = NewInvitation(name, login, member.role, code, invitation.expires)
            if made not in desk.invitations:
                desk.invitations.append(made)
            if sealing_key(desk.store, now.keys, own, first, even_revoked=True) == key:
                return made
    raise Busy(f"other admins publish settings or keys of {name} all the time: try again")


def _member(settings: Settings, community: Community, name: str, login: str) -> StaffMember:
    """The person as the settings have them."""
    staff = {member.login: member for member in settings.staff}
    if login in staff:
        return staff[login]
    if login in community.branches[name].staff:
        raise ProvisionError(f"{login} is in the community file only: `gurney apply` makes it so, and invites")
    raise ProvisionError(f"{name} has nobody with the login {login!r}; there are {', '.join(staff) or 'none'}")
