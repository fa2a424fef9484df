"""The whole schema of 0.2; migrations/initial/ has one SQL file per subject."""

from pathlib import Path

from alembic import op

from shared.db.engine import driver

revision = "0026"  # 0.1.0 and unreleased versions had 0001 to 0025: their databases are not brought to this schema
SQL_DIGEST = "4863f86f2ac37870"  # of migrations/initial/; a test asks for another revision when they change
down_revision = None

# Each file may refer to the tables of the files before it.
_TABLES = ("ledger", "market_data", "accounts", "alerts", "orders", "submission", "trades", "notes", "strategies", "metrics",
           "notifications", "telegram")
_VIEWS = ("views_trading", "views_now")


def upgrade() -> None:
    folder = Path(__file__).parents[1] / "initial"
    comments = sorted(file.stem for file in folder.glob("*_comments.sql"))
    for name in (*_TABLES, *_VIEWS, *comments):
        driver(op.get_bind()).execute((folder / f"{name}.sql").read_text().encode())
