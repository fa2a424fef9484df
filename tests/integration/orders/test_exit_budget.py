"""Exits keep a part of the request budget to themselves: what is read and modified leaves it to them."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from shared.domain.orders.order import ChangeKind
from shared.errors import RateLimitedError
from shared.fleets import Queue
from shared.hot.connection import connect
from shared.hot.rate_limit import WINDOWS, RedisLimiter
from shared.ledger.jobs.orders import ReducePosition
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from tests.fixtures.worker_processes import process
from tests.integration.orders.test_order_changes import request_change
from workers.runner import Runner
from workers.wiring import open_runner

CLOSE, CANCEL, MODIFY = "/api/Position/closeContract", "/api/Order/cancel", "/api/Order/modify"
_STOP = "SELECT id FROM orders WHERE role = 'STOP_LOSS'"


@pytest.fixture
def limited(worker_env: WorkerEnv) -> Iterator[Runner]:
    """A worker that keeps the request limits, of an account that holds two contracts with their bracket."""
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    with open_runner(replace(worker_env.settings, limits=True), process("limited/1"), program="test") as runner:
        yield runner


@pytest.fixture
def spend_reads(worker_env: WorkerEnv) -> Iterator[Callable[[], None]]:
    """Read, as critical jobs may, until no read is left."""
    client = connect(worker_env.settings.cache_url)
    limiter = RedisLimiter(client, worker_env.settings.venue)

    def spend() -> None:
        for _ in range(WINDOWS["other"].most):
            try:
                with limiter.count_request("other", Queue.CRITICAL):
                    pass
            except RateLimitedError:
                return
        pytest.fail("reads may spend the whole budget")

    yield spend
    client.close()


def test_a_flatten_closes_and_cancels_when_no_read_is_left(
    worker_env: WorkerEnv, limited: Runner, spend_reads: Callable[[], None]
) -> None:
    job = worker_env.flatten(MNQ)
    spend_reads()
    limited.run(job)

    until(lambda: worker_env.venue.position() == 0, 60, "the close")
    assert "the budget of other requests is spent" in (worker_env.job(job)[2] or "")


def test_a_partial_exit_is_measured_and_sent_when_no_read_is_left(
    worker_env: WorkerEnv, limited: Runner, spend_reads: Callable[[], None]
) -> None:
    job = worker_env.enqueue(ReducePosition(account_id=worker_env.venue.account_id, contract_id=MNQ, quantity=1))
    spend_reads()
    limited.run(job)

    until(lambda: worker_env.venue.position() == 1, 60, "the exit")


def test_a_cancel_is_sent_and_a_modification_is_not_when_no_read_is_left(
    worker_env: WorkerEnv, limited: Runner, spend_reads: Callable[[], None]
) -> None:
    ((stop_id,),) = worker_env.rows(_STOP)
    _, modification = request_change(worker_env, stop_id, ChangeKind.MODIFY, quantity=1)
    _, cancel = request_change(worker_env, stop_id)
    spend_reads()
    limited.run(modification)
    limited.run(cancel)

    assert [] == worker_env.venue.requests(MODIFY)
    assert 1 == len(worker_env.venue.requests(CANCEL))
