"""The first rows and jobs of a starting stack: its market, and requests for contracts, accounts and a reconcile."""

from shared.db.accounts import installations
from shared.db.engine import make_engine
from shared.db.market_data import market_clock
from shared.db.market_data.market_clock import MarketRow
from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.market_data import RefreshContracts
from shared.ledger.ledger import Ledger
from shared.ledger.publisher import open_publisher
from shared.ledger.start import begin


def read_market(database_url: str) -> MarketRow | None:
    """Return the market of a migrated database, or None."""
    engine = make_engine(database_url, program="up", pool_size=1)
    try:
        with engine.connect() as connection:
            return market_clock.read(connection)
    finally:
        engine.dispose()


def bootstrap(database_url: str, broker_url: str, row: MarketRow, installation: str) -> None:
    """Write market and installation, block entries until a reconcile, and enqueue the first jobs, in one commit."""
    ledger = Ledger(make_engine(database_url, program="up", pool_size=1), open_publisher(broker_url))
    try:
        with ledger.transaction() as tx:
            market_clock.write(tx.connection, row)
            installations.write_own(tx.connection, installation)
            for request in (SnapshotAccounts(), RefreshContracts()):
                tx.enqueue(request)
            begin(tx)
    finally:
        ledger.close()
