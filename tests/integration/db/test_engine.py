"""The errors of an engine say which statement failed, and never with which values."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from shared.db.engine import make_async_engine, make_engine

FAILING = text("INSERT INTO hook (name) VALUES (:secret)")
SECRET = {"secret": "my-signing-secret"}


def run_plainly(database_url: str) -> None:
    engine = make_engine(database_url, program="test")
    try:
        with engine.begin() as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            connection.execute(FAILING, SECRET)
    finally:
        engine.dispose()


def run_async(database_url: str) -> None:
    async def run() -> None:
        engine = make_async_engine(database_url, program="test")
        try:
            async with engine.begin() as connection:
                await connection.execute(text("SET TRANSACTION READ ONLY"))
                await connection.execute(FAILING, SECRET)
        finally:
            await engine.dispose()

    asyncio.run(run())


@pytest.mark.parametrize("run", [run_plainly, run_async])
def test_an_error_has_no_parameter_of_its_statement(database_url: str, run: Callable[[str], None]) -> None:
    with pytest.raises(InternalError) as caught:
        run(database_url)

    assert "INSERT INTO hook" in str(caught.value)
    assert SECRET["secret"] not in str(caught.value)
