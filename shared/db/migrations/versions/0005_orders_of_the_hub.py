"""Keep of each order when the venue says it changed last, so that an older word never overwrites a newer one."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN changed_market_at timestamptz")
