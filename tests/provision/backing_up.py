"""What is backed up, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.provision.conftest import Office

BACKUP = "backup: {datastore: backups, at: '02:30', days: [mon, thu], keep_last: 4}\nreferrals:"


def backup_datastore(office: Office, name: str = "backups") -> int:
    return int(office.raw("datastore.allocate", f'NAME="{name}"\nDS_MAD="dummy"\nTM_MAD="dummy"\nTYPE="BACKUP_DS"', 0))
