"""The watch compares the positions that the user hub reports with ours, and reads an account again that differs."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from shared.clock import machine_now
from shared.domain.orders.order import Direction
from shared.hot.positions import HotPosition, positions_key
from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

OUR_QUANTITY = "SELECT quantity FROM position"
READS = "SELECT count(*)::int FROM job WHERE name = 'orders.reconcile_account'"


def report(env: WorkerEnv, quantity: int, ago: timedelta) -> None:
    """Write a long position, as the feed does when the user hub reports it."""
    direction = Direction.LONG if quantity else Direction.FLAT
    hot = HotPosition(direction=direction, quantity=quantity, average_price=None, reported_at=machine_now() - ago)
    env.redis.hset(positions_key(env.venue.account_id), MNQ, msgspec.json.encode(hot))


@pytest.fixture
def compared(long_two: WorkerEnv) -> WorkerEnv:
    """Long two MNQ, and reconciled a minute ago."""
    long_two.run(ReconcileAccounts())
    long_two.execute("UPDATE account SET reconciled_at = now() - interval '1 minute'")
    return long_two


@pytest.mark.parametrize("left", [1, 0])
def test_a_fill_whose_report_was_lost_is_read_once_the_hub_reports_another_position(
    compared: WorkerEnv, left: int
) -> None:
    compared.venue.close_position(2 - left)
    report(compared, left, timedelta(seconds=3))
    compared.watch()
    compared.run_due_jobs()
    assert [(left,)] == compared.rows(OUR_QUANTITY)
    reads = compared.rows(READS)
    compared.watch()

    assert reads == compared.rows(READS)


def test_a_difference_is_read_once_however_many_runs_see_it(compared: WorkerEnv) -> None:
    report(compared, 5, timedelta(seconds=3))  # the venue has two, as we do
    before = compared.rows(READS)[0][0]
    for _ in range(3):
        compared.watch()
    compared.run_due_jobs()
    compared.watch()

    assert [(before + 1,)] == compared.rows(READS)
    assert [(2,)] == compared.rows(OUR_QUANTITY)


@pytest.mark.parametrize(
    ("quantity", "ago"),
    [
        pytest.param(2, timedelta(seconds=30), id="the same position"),
        pytest.param(1, timedelta(milliseconds=1), id="the report of its fill may still come"),
        pytest.param(1, timedelta(minutes=2), id="compared with the venue since"),
    ],
)
def test_no_account_is_read_for_a_report(compared: WorkerEnv, quantity: int, ago: timedelta) -> None:
    before = compared.rows(READS)
    report(compared, quantity, ago)
    compared.watch()

    assert before == compared.rows(READS)


def test_an_account_is_reconciled_as_of_the_request_and_not_of_the_end_of_its_job(long_two: WorkerEnv) -> None:
    """A report that comes while the answers are applied is newer than them."""
    long_two.venue.faults(path="/api/Position/searchOpen", kind="delay", seconds=1, count=1)
    long_two.run(ReconcileAccounts())

    assert [(True,)] == long_two.rows(
        "SELECT reconciled_at <= finished_at - interval '1 second' FROM account, job "
        "WHERE job.name = 'orders.reconcile_account' ORDER BY job.id DESC LIMIT 1"
    )


def test_a_watch_without_redis_compares_nothing_and_goes_on(compared: WorkerEnv) -> None:
    before = compared.rows(READS)
    report(compared, 1, timedelta(seconds=3))
    nowhere = replace(compared.settings, cache_url="redis://127.0.0.1:1/0")

    assert 1 == compared.watch(nowhere).accounts
    assert before == compared.rows(READS)
