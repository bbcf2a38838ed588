"""A community as its admin holds it: an exchange folder, the community's keys, a signed directory, sealed settings."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING

from appliance.context import Context, OneGate
from exchange import directory, places, settings
from exchange.admission import Applicant, admitted
from exchange.certificate import Certificate
from exchange.certification import certified
from exchange.community import CommunityKeys
from exchange.directory import Directory, DirectoryBranch
from exchange.folder import Folder
from exchange.invitation import invite
from exchange.keys import PublicKeys
from exchange.revocation_list import RevocationList
from exchange.settings import Modality, Settings, StaffMember
from exchange.vouching import revocations_of

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.authority import Authority

NAME = "kongu"
BRANCHES = ("erode", "salem", "karur")
TITLES = {"erode": "Erode Town Hospital", "salem": "Salem Mission Hospital", "karur": "Karur Women's Hospital"}
STAFF = {"dr.anbu": "doctor", "r.devi": "radiographer", "k.mani": "admin"}


class Community:
    """The admin's side; nothing of it but files in the exchange reaches an appliance."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Folder(root)
        root.mkdir()
        places.prepare(self.store, BRANCHES)
        self.keys, _ = CommunityKeys.generate()
        self.directory: Directory | None = None
        self.settings: dict[str, Settings] = {}
        self.codes: dict[str, dict[str, str]] = {}

    def context(self, branch: str, onegate: OneGate | None = None) -> Context:
        return Context(
            community=NAME,
            branch=branch,
            ae_title=branch.upper(),
            community_key=self.keys.sign.public.text,
            recovery_key=self.keys.recovery.text,
            vm_id=BRANCHES.index(branch),
            onegate=onegate,
            exchange=self.root,
            outbox=self.root / places.outbox_of(branch),
        )

    def admit(self, branch: str, application: dict[str, str], address: str = "127.0.0.1") -> None:
        """Take an appliance's values and publish a directory that names its keys, and has a certificate for it."""
        applicant = Applicant(
            branch=branch,
            title=TITLES[branch],
            ae_title=branch.upper(),
            vm_id=BRANCHES.index(branch),
            keys=PublicKeys(sign=application["GURNEY_SIGN_KEY"], seal=application["GURNEY_SEAL_KEY"]),
            proof=application["GURNEY_PROOF"],
            hand_over="",
            request=application["GURNEY_TLS_REQUEST"],
            request_proof=application["GURNEY_TLS_PROOF"],
        )
        known = self.directory.find(branch) if self.directory else None
        entry = admitted(applicant, known=known, community=NAME, rekey=applicant.keys.fingerprint)
        names = frozenset({branch, address})
        self.publish(certified(entry, names, self.authority, NAME, datetime.now(UTC)))

    def admit_file(self, branch: str, keys_folder: Path, address: str = "127.0.0.1") -> None:
        self.admit(branch, json.loads((keys_folder / "enrolment.json").read_text()), address)

    @property
    def authority(self) -> Authority:
        assert self.keys.authority is not None
        return self.keys.authority

    def certify(self, branch: str, now: datetime, **changes: object) -> DirectoryBranch:
        """Publish another certificate for a branch: of another time, by another authority, or for other names."""
        assert self.directory is not None
        entry = self.directory.branch(branch)
        told = {"names": Certificate(entry.certificate).names, "key": entry.tls_key, "by": self.authority, **changes}
        made = told["by"].certify(NAME, branch, told["key"], told["names"], now)  # type: ignore[attr-defined]
        changed = replace(entry, certificate=made.text)
        self.publish(changed)
        return changed

    def authority_certificate(self) -> Certificate:
        """The authority's certificate, as an admin hands it out."""
        assert self.directory is not None
        return Certificate(self.directory.authority)

    def revocation_list(self) -> RevocationList:
        """The authority's revocation list, as an admin hands it out."""
        assert self.directory is not None
        return RevocationList(self.directory.revocations)

    def publish(self, *entries: DirectoryBranch, referrals: tuple[tuple[str, str], ...] | None = None) -> Directory:
        """Publish the next directory, with these branches as they are given and all others as they were."""
        before = self.directory
        named = {entry.name: entry for entry in (*(before.branches if before else ()), *entries)}
        now = datetime.now(UTC)
        certificates = [Certificate(entry.certificate) for entry in named.values() if entry.certificate]
        names = {name for certificate in certificates for name in certificate.names}
        present = Certificate(before.authority) if before and before.authority else None
        self.directory = Directory(
            community=NAME,
            version=before.version + 1 if before else 1,
            issued=now,
            expires=now + timedelta(days=365),
            branches=tuple(named.values()),
            referrals=tuple(permutations(BRANCHES, 2)) if referrals is None else referrals,
            authority=self.authority.root_like(present, NAME, names, now).text if names or present else "",
            next_authority=before.next_authority if before else "",
        )
        self.directory = replace(self.directory, revocations=revocations_of(self.directory, before, self.authority))
        directory.publish(self.store, self.directory, self.keys.sign)
        return self.directory

    def appoint(
        self,
        branch: str,
        staff: dict[str, str] = STAFF,
        modalities: tuple[Modality, ...] = (),
        *,
        outbox_bytes: int = 0,
        inbox: bool = False,
    ) -> dict[str, str]:
        """Publish a branch's settings; the invitation codes of those who are new, by login."""
        assert self.directory is not None
        before = self.settings.get(branch)
        known = {member.login: member for member in before.staff} if before else {}
        invited = {login: invite(datetime.now(UTC)) for login in staff if login not in known}
        members = [
            StaffMember(login, role, invited[login][1] if login in invited else known[login].invitation)  # type: ignore[arg-type]
            for login, role in staff.items()
        ]
        version = before.version + 1 if before else 1
        value = Settings(NAME, branch, version, tuple(members), modalities, outbox_bytes=outbox_bytes, inbox=inbox)
        recipients = [self.directory.branch(branch).keys.seal, self.keys.seal.public]
        settings.publish(self.store, value, self.keys.sign, recipients)
        self.settings[branch] = value
        self.codes[branch] = {login: code for login, (code, _) in invited.items()}
        return self.codes[branch]
