"""The hooks are known before the receiver listens, and it starts without them while Postgres hangs."""

import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from shared.db.alerts import hooks
from shared.db.engine import make_async_engine, make_engine
from shared.db.tables.accounts import account
from shared.db.token_hash import hash_token
from shared.domain.alerts.hook_settings import HookSettings
from shared.ids import new_id
from tests.fixtures.receiver_process import ACCOUNT
from tests.fixtures.wire_tap import WireTap
from web.receiver import deadline, hook_cache
from web.receiver.hook_cache import HookCache

HASH = hash_token("a-token")


@pytest.fixture
def wire(database_url: str) -> Iterator[WireTap]:
    """A way to a database with one hook."""
    engine = make_engine(database_url, program="test")
    with engine.begin() as connection:
        connection.execute(insert(account).values(id=ACCOUNT, name="practice", balance=50_000, can_trade=True))
        connection.execute(hooks.add(new_id(), "first", HASH, ACCOUNT, HookSettings()))
    engine.dispose()
    with WireTap(database_url) as wire:
        yield wire


def test_after_the_start_the_hooks_are_known_even_if_postgres_then_goes_away(
    wire: WireTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_cache, "_FIRST_READ_S", 100)

    async def find_after_start() -> hooks.Hook | None:
        engine = make_async_engine(wire.url, program="test")
        cache = HookCache(engine)
        await cache.start()
        wire.refuse()
        try:
            return await cache.find(HASH, may_read=False)
        finally:
            await cache.stop()
            await engine.dispose()

    found = asyncio.run(find_after_start())
    assert found is not None
    assert "first" == found.name


def test_the_start_does_not_wait_for_a_postgres_that_hangs(wire: WireTap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "TIMEOUT_S", 1000)
    wire.block()

    async def start() -> None:
        engine = make_async_engine(wire.url, program="test")
        cache = HookCache(engine)
        async with asyncio.timeout(60):
            await cache.start()
        wire.restore()
        await cache.stop()
        await engine.dispose()

    asyncio.run(start())
