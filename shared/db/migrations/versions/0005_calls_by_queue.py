"""Keep of each call to the venue which queue's job made it, and whether it went well."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE api_call
            ADD COLUMN queue text,
            ADD COLUMN success boolean NOT NULL GENERATED ALWAYS AS (error IS NULL) STORED
    """)
