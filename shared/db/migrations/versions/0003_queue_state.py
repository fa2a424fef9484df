"""Keep what the relay and the workers know of each queue: how long it is, whether it is served, what was repaired."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE queue_state (
            queue text CONSTRAINT pk_queue_state PRIMARY KEY,
            queued integer NOT NULL DEFAULT 0,
            looked_at timestamptz,
            republished_count bigint NOT NULL DEFAULT 0,
            duplicate_count bigint NOT NULL DEFAULT 0,
            canary_asked_at timestamptz,
            canary_done_at timestamptz,
            canary_wait interval
        )
    """)
    op.execute("INSERT INTO queue_state (queue) SELECT unnest('{critical,high,normal,low,background}'::text[])")
