"""Passwords of staff: which are accepted, and how they are kept and checked."""

from __future__ import annotations

import threading
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 10
MAX_LENGTH = 200
MIN_DISTINCT = 5
#: A shorter login is part of many good passwords by chance.
SHORT_LOGIN = 4

#: RFC 9106 wants memory; an appliance may have 512 MiB, so 32 MiB a check and two checks at once.
HASHER = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
AT_ONCE = threading.BoundedSemaphore(2)

#: What remains of a common password once capitals, look-alike signs and what is hung on at the end are taken away.
COMMON = frozenset(
    """
    password passwort passwords passw welcome welcomeback letmein letmeinnow iloveyou sunshine princess football
    baseball superman batman dragon monkey master trustno changeme changeit changemenow default secret mysecret
    test testing testtest admin administrator adminadmin root rootroot user guest login qwerty qwertyuiop qwertz
    qwertzuiop asdfghjkl asdfgh zxcvbnm azerty azertyuiop abc abcd abcdef abcdefghij abcabc aaa hospital
    hospitals doctor doctors nurse radiology radiologist radiographer xray scanner dicom pacs gurney appliance
    medical medicine clinic patient patients india chennai kerala tamilnadu krishna ganesh vishnu jesus computer
    internet whatever freedom starwars michael jennifer jordan hunter killer summer winter autumn spring january
    monday friday correcthorsebatterystaple
    """.split()  # noqa: SIM905 - a hundred words read better without quotes
)
LOOK_ALIKES = str.maketrans("013457@$!", "oieastasi")
HUNG_ON = "0123456789!@#$%^&*()-_=+.,?~ "


def objections(password: str, login: str, names: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Why a password is not accepted; empty when it is.

    Parameters
    ----------
    password
        What the person wants to use.
    login
        The person's own login, which must not be in it.
    names
        Names that everyone here knows, as the branch's and the community's.

    Returns
    -------
    tuple of str
        One sentence for each fault.

    References
    ----------
    NIST SP 800-63B 5.1.1.2: length and known-bad lists, no rules of composition.
    """
    known = COMMON | {_plain(name) for name in names}
    faults = {
        f"Use {MIN_LENGTH} characters or more.": len(password) < MIN_LENGTH,
        f"Use {MAX_LENGTH} characters or fewer.": len(password) > MAX_LENGTH,
        "Do not use your login in it.": len(login) >= SHORT_LOGIN and _plain(login) in _plain(password),
        "This one is among the first that others would try.": bool(_stems(password) & known),
        "Use more different characters.": len(set(password)) < MIN_DISTINCT,
        "Do not use a run of neighbouring characters.": _is_run(password),
    }
    return tuple(fault for fault, found in faults.items() if found)


def _plain(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _stems(password: str) -> set[str]:
    """The words that a password may hide: without what is hung on, and with signs read as letters."""
    lower = password.casefold()
    bare = lower.strip(HUNG_ON)
    return {_plain(word) for word in (lower, bare, lower.translate(LOOK_ALIKES), bare.translate(LOOK_ALIKES))} - {""}


def _is_run(password: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in pairwise(password)}
    return password.casefold().rstrip("!") in {"1234567890", "0987654321"} or (len(steps) == 1 and len(password) > 1)


def hashed(password: str) -> str:
    """The argon2id hash of a password, with its salt and costs in one text (PHC string format)."""
    with AT_ONCE:
        return HASHER.hash(password)


#: Checked against where there is no such person, so that the answer takes as long.
_NOBODY = "$argon2id$v=19$m=32768,t=3,p=1$VqIq8osw3XSwMIOnhqHsDg$aM6K1MIEnNBjoxbKP6mFtQMdA2BaeWuK5V8QCJg6LOI"


def matches(kept: str | None, password: str) -> bool:
    """Whether a password is the one kept; without one kept the answer is no, after the same work."""
    with AT_ONCE:
        try:
            HASHER.verify(kept or _NOBODY, password[: MAX_LENGTH + 1])
        except (VerificationError, InvalidHashError):
            return False
    return kept is not None
