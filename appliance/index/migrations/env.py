"""What Alembic runs: the steps, in the one transaction that the caller has begun."""

from __future__ import annotations

from alembic import context

from appliance.index.migrations.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
