"""The hooks are known before the receiver listens, and it starts without them while Postgres hangs or is down."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from sqlalchemy import event, insert

from shared.db.alerts import hooks
from shared.db.alerts.hooks import hash_token
from shared.db.engine import make_async_engine, make_engine
from shared.db.tables.accounts import account
from shared.domain.alerts.hook_settings import HookSettings
from shared.ids import new_id
from tests.fixtures.receiver_process import ACCOUNT
from tests.fixtures.wire_tap import WireTap
from web.receiver import deadline, hook_cache
from web.receiver.hook_cache import HookCache

HASH = hash_token("a-token")


def add_hook(database_url: str, name: str, token_hash: bytes) -> None:
    engine = make_engine(database_url, program="test")
    with engine.begin() as connection:
        connection.execute(hooks.build_insert(new_id(), name, token_hash, ACCOUNT, HookSettings()))
    engine.dispose()


@pytest.fixture
def wire(database_url: str) -> Iterator[WireTap]:
    """A way to a database with one hook."""
    engine = make_engine(database_url, program="test")
    with engine.begin() as connection:
        connection.execute(insert(account).values(id=ACCOUNT, name="practice", balance=50_000, can_trade=True))
    engine.dispose()
    add_hook(database_url, "first", HASH)
    with WireTap(database_url) as wire:
        yield wire


def test_after_the_start_the_hooks_are_known_even_if_postgres_then_goes_away(
    wire: WireTap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_cache, "_FIRST_READ_S", 100)

    async def find_after_start() -> hooks.Hook | None:
        engine = make_async_engine(wire.url, program="test")
        cache = HookCache(engine, max_quantity=5)
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
        cache = HookCache(engine, max_quantity=5)
        async with asyncio.timeout(60):
            await cache.start()
        wire.restore()
        await cache.stop()
        await engine.dispose()

    asyncio.run(start())


def test_an_unknown_sender_leads_to_a_read_also_after_one_that_failed(
    wire: WireTap, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook_cache, "_FIRST_READ_S", 100)
    monkeypatch.setattr(hook_cache, "_RETRY_S", 1000)  # so that no other read comes in between
    added = hash_token("a-token-of-another-hook")

    async def find_after_outage() -> hooks.Hook | None:
        engine = make_async_engine(wire.url, program="test")
        cache = HookCache(engine, max_quantity=5)
        await cache.start()
        wire.refuse()
        assert await cache.find(added) is None
        add_hook(database_url, "second", added)
        wire.restore()
        try:
            return await cache.find(added)
        finally:
            await cache.stop()
            await engine.dispose()

    found = asyncio.run(find_after_outage())
    assert found is not None
    assert "second" == found.name


def test_an_outage_is_logged_once_and_again_after_a_recovery(
    wire: WireTap, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hook_cache, "_RETRY_S", 0.01)
    tries = list[None]()

    def count_try(*_: object) -> None:
        tries.append(None)

    async def wait(is_met: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_met():  # noqa: ASYNC110  # another thread's socket decides it
                await asyncio.sleep(0.01)

    async def go_through_two_outages() -> None:
        engine = make_async_engine(wire.url, program="test")
        event.listen(engine.sync_engine, "do_connect", count_try)
        wire.refuse()
        cache = HookCache(engine, max_quantity=5)
        await cache.start()
        await wait(lambda: len(tries) > 5)
        wire.restore()
        await wait(lambda: cache.is_loaded)
        seen = len(tries)
        wire.refuse()
        await wait(lambda: len(tries) > seen + 5)
        await cache.stop()
        await engine.dispose()

    asyncio.run(go_through_two_outages())
    reasons = [record.getMessage() for record in caplog.records if "not followed" in record.getMessage()]

    assert all(first != second for first, second in pairwise(reasons)), "each text once in a row"
    assert 2 <= len(reasons) <= 4


def test_unknown_tokens_share_few_reads_while_postgres_hangs(wire: WireTap, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook_cache, "_FIRST_READ_S", 100)
    monkeypatch.setattr(hook_cache, "TIMEOUT_S", 0.05)  # of a sender, which ends before that of a read
    monkeypatch.setattr(hook_cache, "_RELOAD_EVERY_S", 1000)
    reads = list[None]()

    class CountingCache(HookCache):
        async def _read(self) -> None:
            reads.append(None)
            await super()._read()

    async def find_unknown() -> None:
        engine = make_async_engine(wire.url, program="test")
        cache = CountingCache(engine, max_quantity=5)
        await cache.start()
        wire.block()
        reads.clear()
        for number in range(20):
            found = await asyncio.gather(*(cache.find(hash_token(f"{number} {one}")) for one in range(10)))
            assert [None] * 10 == found
        wire.restore()
        await cache.stop()
        await engine.dispose()

    asyncio.run(find_unknown())
    assert 1 <= len(reads) <= 2  # one of them is the follower's
