"""Keep on each entry of the schedule when it last ran, so that two beats know it of each other."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE schedule ADD COLUMN ran_at timestamptz")
