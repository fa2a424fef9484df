"""A connection to a database without accounts."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from shared.db.engine import make_engine


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url, program="test", pool_size=1)
    with engine.connect() as connection:
        yield connection
    engine.dispose()
