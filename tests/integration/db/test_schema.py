"""The migrations create the tables that SQLAlchemy declares."""

import re
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from shared.db.engine import make_engine
from shared.db.migrate import upgrade
from shared.db.tables import accounts, alerts, ledger, market_data, metrics, orders, strategies, telegram, trades
from shared.db.tables.metadata import metadata
from shared.errors import SettingsError

PARTS = (
    accounts,
    alerts,
    ledger,
    market_data,
    metrics,
    orders,
    strategies,
    telegram,
    trades,
)  # each registers its tables in the metadata


@pytest.mark.parametrize(
    ("revision", "folder", "message"),
    [
        (
            "0024",
            Path("/home/me/tickwork"),
            r"in /home/me/tickwork: expected 0026; .*`make up UP_ARGS=--fresh`.*is kept",
        ),
        ("0025", None, r"at 127\.0\.0\.1: expected 0026; .*name an empty database in DATABASE_URL.*is kept"),
        ("0099", None, "a newer version .* run that version"),
    ],
)
def test_a_database_of_an_unknown_version_is_refused_with_its_place_and_what_to_do(
    database_url: str, revision: str, folder: Path | None, message: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", [revision])
        name = connection.info.dbname

    with pytest.raises(SettingsError, match=f"unknown schema revision '{revision}' of database {name} .*{message}"):
        upgrade(database_url, folder)


def test_the_migrations_create_the_declared_tables(database_url: str) -> None:
    engine = make_engine(database_url, program="test", pool_size=1)
    with engine.connect() as connection:
        found = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()

    # Only Postgres needs the table of allowed transitions and the partitions, and only its files have the comments.
    assert [] == [change for change in found if not re.search("order_transition|api_call_|comment", repr(change))]


def show_limit(database_url: str) -> str:
    with psycopg.connect(database_url) as connection:
        ((limit,),) = connection.execute("SHOW idle_in_transaction_session_timeout").fetchall()
    return str(limit)


def test_no_session_sits_in_a_transaction_for_more_than_a_minute_unless_the_database_says_so(database_url: str) -> None:
    upgrade(database_url)
    assert "1min" == show_limit(database_url)

    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET idle_in_transaction_session_timeout = '2h'")
    upgrade(database_url)
    assert "2h" == show_limit(database_url)
