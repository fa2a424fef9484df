"""An engine, and a session of its own, on a database of the test's own."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from shared.db.engine import make_engine


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url, program="test", pool_size=2)
    yield engine
    engine.dispose()


@pytest.fixture
def session(database_url: str) -> "Iterator[psycopg.Connection[Any]]":
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection
