"""A valid token gets through a flood of wrong ones, also one of a start without Postgres, or added after the start."""

import asyncio
from collections.abc import Callable

import pytest
from sqlalchemy import text
from starlette.requests import Request

from shared.db import api_tokens
from shared.db.alerts.hooks import hash_token
from shared.db.engine import make_async_engine, make_engine
from shared.ids import new_id
from shared.ledger.async_ledger import AsyncLedger
from shared.ledger.publisher import open_async_publisher
from tests.fixtures.wire_tap import WireTap
from web.receiver import limits, tokens
from web.receiver.problem import RefusedRequestError
from web.receiver.sender import AddressReader
from web.receiver.tokens import TokenAuthenticator

TOKEN = f"tw_{'a' * 43}"


def empty_tokens(database_url: str) -> None:
    engine = make_engine(database_url, program="test")
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE api_token"))
    engine.dispose()


def add_token(database_url: str) -> None:
    engine = make_engine(database_url, program="test")
    with engine.begin() as connection:
        connection.execute(api_tokens.build_insert(new_id(), "program", hash_token(TOKEN), ["upkeep.*"], None))
    engine.dispose()


def make_request() -> Request:
    headers = [(b"authorization", f"Bearer {TOKEN}".encode())]
    return Request({"type": "http", "headers": headers, "client": ("127.0.0.1", 1)})


async def wait_until_known(authenticator: TokenAuthenticator) -> None:
    """Return once the token is found although no unknown one is looked for."""
    async with asyncio.timeout(60):
        while True:
            try:
                assert "program" == (await authenticator.authenticate(make_request())).name
            except RefusedRequestError:
                await asyncio.sleep(0.05)
            else:
                return


def run_with(wire: WireTap, redis_url: str, prepare: Callable[[], None], then: Callable[[], None]) -> None:
    async def run() -> None:
        engine = make_async_engine(wire.url, program="test")
        ledger = AsyncLedger(engine, open_async_publisher(redis_url))
        authenticator = TokenAuthenticator(ledger, AddressReader(0))
        prepare()
        await authenticator.start()
        with pytest.raises(RefusedRequestError):
            await authenticator.authenticate(make_request())
        then()
        await wait_until_known(authenticator)
        await authenticator.stop()
        await ledger.close()

    asyncio.run(run())


@pytest.fixture(autouse=True)
def flood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address has sent too many wrong tokens."""
    monkeypatch.setattr(limits, "WRONG_CREDENTIALS_PER_MINUTE", 0)


def test_tokens_are_read_again_after_a_start_without_postgres(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_RETRY_S", 0.05)
    empty_tokens(database_url)
    add_token(database_url)
    with WireTap(database_url) as wire:
        run_with(wire, redis_url, wire.refuse, wire.restore)


def test_a_token_that_is_added_later_is_read(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "_RELOAD_EVERY_S", 0.05)
    empty_tokens(database_url)
    with WireTap(database_url) as wire:
        run_with(wire, redis_url, lambda: None, lambda: add_token(database_url))
