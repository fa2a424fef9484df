"""Postgres behind a network that swallows packets: every connection ends within seconds, and programs connect anew."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from scheduler.relay import listen
from shared.clock import live_clock
from shared.db.connect import NETWORK_LIMITS, connect, network_limits
from shared.db.engine import make_async_engine, make_engine
from shared.ledger.jobs.upkeep import DoNothing
from tests.fixtures.ledger_env import OpenLedgerEnv
from tests.fixtures.processes import until
from tests.fixtures.wire_tap import WireTap

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a test drop the packets of a socket")

ALIVE = "SELECT 1"


@pytest.fixture
def wire(database_url: str) -> Iterator[WireTap]:
    with WireTap(database_url) as tap:
        yield tap


def use_engine(wire: WireTap) -> None:
    engine = make_engine(wire.url, program="test", pool_size=1)
    try:
        with engine.connect() as connection:
            connection.execute(text(ALIVE))
            wire.swallow()
            connection.execute(text(ALIVE))
    finally:
        engine.dispose()


def use_async_engine(wire: WireTap) -> None:
    async def run() -> None:
        engine = make_async_engine(wire.url, program="test", pool_size=1)
        try:
            async with engine.connect() as connection:
                await connection.execute(text(ALIVE))
                wire.swallow()
                await connection.execute(text(ALIVE))
        finally:
            await engine.dispose()

    asyncio.run(run())


def use_connection(wire: WireTap) -> None:
    with connect(wire.url, program="test") as connection:
        connection.execute(ALIVE)
        wire.swallow()
        connection.execute(ALIVE)


@pytest.mark.parametrize("use", [use_engine, use_async_engine, use_connection])
def test_a_statement_whose_packets_vanish_fails(wire: WireTap, use: Callable[[WireTap], None]) -> None:
    with pytest.raises((OperationalError, psycopg.OperationalError), match="timed out"):
        use(wire)


def test_the_limits_that_a_url_sets_itself_are_kept() -> None:
    limits = network_limits("postgresql://127.0.0.1/x?keepalives_idle=60&connect_timeout=9")

    assert {"keepalives_idle", "connect_timeout"} == NETWORK_LIMITS.keys() - limits.keys()


def test_the_relay_hears_notifications_again(wire: WireTap, database_url: str) -> None:
    changed, stopping = threading.Event(), threading.Event()
    listener = threading.Thread(target=listen, args=(wire.url, changed, stopping))
    listener.start()

    def is_heard() -> bool:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("NOTIFY job_due")
        return changed.wait(0.2)

    try:
        until(is_heard, what="a notification")
        wire.swallow()
        changed.clear()
        until(is_heard, 90, what="a notification on a new connection")
    finally:
        stopping.set()
        listener.join()


def test_jobs_run_again_through_relay_and_worker(
    wire: WireTap, open_ledger_env: OpenLedgerEnv, database_url: str
) -> None:
    ledger_env = open_ledger_env(live_clock())
    for program in (("scheduler", "relay"), ("tests.fixtures.trial", "normal")):
        ledger_env.start(*program, DATABASE_URL=wire.url).wait_until_running()
    assert urlsplit(wire.url).port != urlsplit(database_url).port
    ledger_env.wait_for("succeeded", ledger_env.enqueue(DoNothing(), publish_on_commit=False))
    wire.swallow()

    late = [ledger_env.enqueue(DoNothing(), publish_on_commit=False) for _ in range(8)]
    ledger_env.wait_for("succeeded", *late, seconds=120)
