"""Programs that lost what they need: their heartbeat is not fresh, and still shows that they do not hang."""

import pytest

from shared.clock import live_clock
from shared.heartbeat import is_fresh
from tests.fixtures.ledger_env import LedgerEnv, OpenLedgerEnv, StartedProgram, without_database
from tests.fixtures.processes import until
from tests.fixtures.wire_tap import WireTap


def wait_for_waiting_heartbeats(program: StartedProgram) -> None:
    """Wait until the heartbeat has changed three times without being fresh."""
    seen: set[float] = set()

    def is_waiting() -> bool:
        assert program.is_alive(), program.log.read_text()
        if not is_fresh(program.heartbeat):
            seen.add(program.heartbeat.stat().st_mtime)
        return len(seen) >= 3

    until(is_waiting, what="heartbeats of a program that waits")


@pytest.fixture
def ledger_env(open_ledger_env: OpenLedgerEnv) -> LedgerEnv:
    return open_ledger_env(live_clock())


@pytest.mark.parametrize("program", ["relay", "beat"])
def test_without_postgres(ledger_env: LedgerEnv, program: str) -> None:
    started = ledger_env.start("scheduler", program)
    started.wait_until_running()
    with without_database(ledger_env.database_url):
        wait_for_waiting_heartbeats(started)
    until(lambda: is_fresh(started.heartbeat), what="a fresh heartbeat")


def test_a_worker_without_its_broker(ledger_env: LedgerEnv) -> None:
    with WireTap(ledger_env.redis_url) as tap:
        worker = ledger_env.start("workers", "normal", REDIS_URL=tap.url, BROKER_URL="")
        worker.wait_until_running()
        tap.refuse()
        wait_for_waiting_heartbeats(worker)
        tap.restore()
        until(lambda: is_fresh(worker.heartbeat), what="a fresh heartbeat")
