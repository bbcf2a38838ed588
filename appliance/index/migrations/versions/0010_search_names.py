"""Names as they are searched, whatever capitals and accents a modality sends."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from appliance.index.search_name import search_name

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """SQLite goes through the names by itself: of an archive of any size, one row at a time is in memory."""
    connection: Any = op.get_bind().connection.driver_connection
    connection.create_function("search_name", 1, search_name, deterministic=True)
    for table, name in (("patient", "name"), ("study", "patient_name")):
        op.add_column(table, sa.Column("search_name", sa.String, nullable=False, server_default=""))
        op.execute(f"UPDATE {table} SET search_name = search_name({name})")  # noqa: S608 - both are words of this file
