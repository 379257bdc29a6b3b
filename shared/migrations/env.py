"""Run by Alembic: migrates on the connection that `shared.migrations.migrate` holds the lock on."""

from alembic import context

config = context.config
context.configure(
    connection=config.attributes["connection"],
    version_table=config.attributes["schema"].version_table,
    transactional_ddl=False,  # the caller's transaction is the one
    render_as_batch=True,
)
context.run_migrations()
