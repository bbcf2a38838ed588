"""How much of the outbox each referral needs, so that the outbox can be held to its limit."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_OPEN = ("prepared", "sending", "sent")


def upgrade() -> None:
    """Referrals that are on their way are counted by the size of their images; the others need nothing any more."""
    op.add_column("sent_referral", sa.Column("sealed_bytes", sa.BigInteger, nullable=False, server_default="0"))
    table = sa.table("sent_referral", *map(sa.column, ("referral_id", "state", "frozen", "sealed_bytes")))
    connection = op.get_bind()
    rows = connection.execute(sa.select(table.c.referral_id, table.c.frozen).where(table.c.state.in_(_OPEN))).all()
    for referral_id, frozen in rows:
        size = sum(file["size"] for file in json.loads(frozen)["files"])
        this = table.c.referral_id == referral_id
        connection.execute(sa.update(table).where(this).values(sealed_bytes=size))
