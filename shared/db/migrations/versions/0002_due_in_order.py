"""Keep due jobs in the order in which they are published, so that a long backlog is read from its head."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute("DROP INDEX ix_job_due")
    op.execute("CREATE INDEX ix_job_due ON job (queue, run_at, id) WHERE state = 'queued'")
