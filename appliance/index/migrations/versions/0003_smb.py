"""What SMB knows of a password, beside what the page knows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make room for it; whoever has a password already gets it with the next one."""
    op.add_column("account", sa.Column("smb_hash", sa.String, nullable=True))
