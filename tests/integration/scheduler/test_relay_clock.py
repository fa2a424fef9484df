"""The relay after a step of the clock, a sleep or an outage: workers first get time to write their heartbeats."""

from collections.abc import Iterator

import pytest

from scheduler import relay as relay_module
from scheduler.relay import CLOCK_STEP_S, GRACE_AFTER_PAUSE_S, Relay
from shared.clock import monotonic
from shared.ledger.jobs.upkeep import DoNothing
from shared.ledger.publisher import open_publisher
from shared.ledger.worker_registry import beat
from tests.fixtures.ledger_env import LedgerEnv
from tests.fixtures.processes import until
from tests.fixtures.silent_server import SilentServer
from tests.fixtures.worker_processes import process, worker

ME = process("normal@here.1/2")


@pytest.fixture
def skew(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds by which this program's clock goes ahead: a computer that slept has a negative one beside Postgres."""
    ahead = [0.0]
    monkeypatch.setattr(relay_module, "monotonic", lambda: monotonic() + ahead[0])
    return ahead


@pytest.fixture
def relay(ledger_env: LedgerEnv, skew: list[float]) -> Iterator[Relay]:
    """A relay in this process, the grace of whose start is over."""
    relay = Relay(ledger_env.ledger.engine, ledger_env.publisher)
    skew[0] = GRACE_AFTER_PAUSE_S + 1
    relay.step()
    yield relay
    relay.close()


def test_after_a_sleep_no_job_of_a_living_worker_is_reclaimed(
    ledger_env: LedgerEnv, relay: Relay, skew: list[float]
) -> None:
    job_id = ledger_env.enqueue(DoNothing())
    assert ledger_env.ledger.claim(job_id, ME) is not None
    beat(ledger_env.ledger.connection.open(), worker("normal@here.1"))
    skew[0] -= 60  # Postgres' clock went on in the sleep, this program's did not
    ledger_env.execute("UPDATE worker SET seen_at = seen_at - interval '1 minute'")
    ledger_env.execute("UPDATE job SET lease_until = lease_until - interval '1 minute' WHERE state = 'running'")

    relay.step()
    assert "running" == ledger_env.row(job_id)["state"]
    for _ in range(4):  # the grace, by less than a step at once
        skew[0] += CLOCK_STEP_S * 0.7
        relay.step()
    assert "queued" == ledger_env.row(job_id)["state"]  # no heartbeat came


def test_leases_are_reclaimed_while_the_broker_does_not_answer(
    ledger_env: LedgerEnv, silent_server: SilentServer
) -> None:
    job_id = ledger_env.enqueue(DoNothing())
    assert ledger_env.ledger.claim(job_id, ME) is not None
    ledger_env.execute("UPDATE job SET lease_until = now() - interval '1 minute' WHERE state = 'running'")
    publisher = open_publisher(f"redis://127.0.0.1:{silent_server.port}/0")
    relay = Relay(ledger_env.ledger.engine, publisher)

    def is_queued() -> bool:
        relay.step()
        return "queued" == str(ledger_env.row(job_id)["state"])

    until(is_queued, 60, "the job of a worker without a heartbeat")
    relay.close()
