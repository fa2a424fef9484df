"""Keep of each order when the venue says it changed last, so that an older word never overwrites a newer one."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN changed_market_at timestamptz")
