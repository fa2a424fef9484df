"""The whole schema of 0.2; migrations/initial/ has one SQL file per subject."""

from pathlib import Path

from alembic import op

from shared.db.engine import driver

revision = "0021"  # 0.1.0 and unreleased versions had 0001 to 0020: their databases are not brought to this schema
SQL_DIGEST = "a384dd5894136ca0"  # of migrations/initial/; a test asks for another revision when they change
down_revision = None

# Each file may refer to the tables of the files before it.
_SUBJECTS = ("ledger", "market_data", "accounts", "alerts", "orders", "submission", "trades", "strategies", "metrics")


def upgrade() -> None:
    folder = Path(__file__).parents[1] / "initial"
    for subject in _SUBJECTS:
        driver(op.get_bind()).execute((folder / f"{subject}.sql").read_text().encode())
