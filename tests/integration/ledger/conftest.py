"""A ledger in this process, on a database of the test's own."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from shared.db.engine import make_engine
from shared.ledger.ledger import Ledger
from shared.ledger.publisher import open_publisher
from tests.fixtures.broker import Broker


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url, program="tests", pool_size=8)
    yield engine
    engine.dispose()


@pytest.fixture
def ledger(engine: Engine, broker: Broker) -> Iterator[Ledger]:
    ledger = Ledger(engine, open_publisher(broker.url))
    yield ledger
    ledger.close()
