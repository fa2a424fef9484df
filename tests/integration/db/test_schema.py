"""The migrations bring a database to the shape that the tables describe."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from shared.db.engine import make_engine
from shared.db.tables import accounts, alerts, ledger, market_data, metrics, orders, strategies, trades
from shared.db.tables.metadata import metadata

PARTS = (
    accounts,
    alerts,
    ledger,
    market_data,
    metrics,
    orders,
    strategies,
    trades,
)  # they add their tables to the metadata


def test_the_tables_are_what_the_migrations_make(database_url: str) -> None:
    engine = make_engine(database_url, program="test", pool_size=1)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()

    # What only Postgres needs to know: who may follow whom.
    assert [] == [change for change in found if "order_transition" not in repr(change)]
