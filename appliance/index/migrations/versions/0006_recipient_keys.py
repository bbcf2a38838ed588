"""To which keys of its recipient each referral was sealed: under other keys, that branch has nothing of it."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """The keys stand in what was frozen."""
    op.add_column("sent_referral", sa.Column("recipient_key_id", sa.String, nullable=False, server_default=""))
    table = sa.table("sent_referral", *map(sa.column, ("referral_id", "frozen", "recipient_key_id")))
    connection = op.get_bind()
    for (referral_id,) in connection.execute(sa.select(table.c.referral_id)).all():
        this = table.c.referral_id == referral_id
        frozen = connection.execute(sa.select(table.c.frozen).where(this)).scalar_one()
        key_id = json.loads(frozen).get("recipient_key_id", "")
        connection.execute(sa.update(table).where(this).values(recipient_key_id=key_id))
