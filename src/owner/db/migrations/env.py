"""Runs the revisions: plain SQL over psycopg 3, on a connection that `db.migrations` hands over."""

from alembic import context

with (
    context.begin_transaction()
    if context.is_offline_mode()
    else context.config.attributes["connection"].begin()
):
    context.configure(
        connection=context.config.attributes["connection"],
        transaction_per_migration=False,
        version_table_schema="public",
    )
    context.run_migrations()
