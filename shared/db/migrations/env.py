"""The entry point of Alembic: runs the migrations on the connection that shared.db.migrate passes."""

from alembic import context

from shared.db.tables.metadata import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
