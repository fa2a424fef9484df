"""Commands that send a market order wait for its fill, which the user hub reports after their jobs have ended."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Event, Thread

import pytest

from shared.ledger.jobs.orders import PollFills
from tests.fixtures.entries import PLACE
from tests.fixtures.feed_reports import report_feed
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv

ENTER = ("orders", "market", "MNQ", "buy", "2", "--stop", "400")
WORKING = "SELECT id FROM orders WHERE state = 'WORKING' AND type = 'MARKET'"
REPORTED_AFTER_S = 0.5  # a command polls its jobs every 0.05 s, and would have ended by then


@pytest.fixture
def user_hub(worker_env: WorkerEnv, worker: None) -> Iterator[Event]:  # noqa: ARG001  # it runs the jobs
    """A user hub that is up and reports each market order a while after the venue has accepted it, unless it is set."""
    report_feed(worker_env, is_subscribed=True, age=-timedelta(hours=1))  # fresh, however slow the computer is
    stopping, is_silent = Event(), Event()

    def report() -> None:
        while not stopping.wait(REPORTED_AFTER_S):
            for (order_id,) in [] if is_silent.is_set() else worker_env.rows(WORKING):
                stopping.wait(REPORTED_AFTER_S)
                worker_env.enqueue(PollFills(order_id=order_id))

    thread = Thread(target=report, daemon=True)
    thread.start()
    yield is_silent
    stopping.set()
    thread.join(60)


@pytest.mark.usefixtures("user_hub")
def test_an_entry_at_the_market_is_shown_filled_with_its_stop(operator: RunCommand) -> None:
    result = operator(*ENTER)

    assert 0 == result.status, result
    assert "BUY 2 MNQ H26 MARKET: FILLED at " in result.out
    assert "stop loss: SELL 2 MNQ H26 STOP at " in result.out


@pytest.mark.usefixtures("user_hub")
def test_a_part_that_was_closed_is_not_counted_as_still_held(operator: RunCommand) -> None:
    operator(*ENTER)
    part = operator("positions", "close", "MNQ", "1")
    rest = operator("positions", "close", "MNQ", "1")

    assert (0, "Closed 1 of MNQ H26 (SELL); still held: 1.\n") == (part.status, part.out)
    assert (0, "Closed 1 of MNQ H26 (SELL); still held: 0.\n") == (rest.status, rest.out)


def test_an_exit_whose_fill_is_not_reported_within_the_wait_is_not_called_closed(
    operator: RunCommand, user_hub: Event
) -> None:
    operator(*ENTER)
    user_hub.set()
    result = operator("positions", "close", "MNQ", "1", "--wait", "3")

    assert (1, "") == (result.status, result.out)
    assert "the exit is sent and not confirmed filled yet: `tickwork orders show " in result.error


@pytest.mark.usefixtures("user_hub")
def test_an_exit_that_took_the_place_of_another_is_the_one_that_is_awaited(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    """The venue answers the first exit with 429, so it is in doubt; when it has ended, another is sent."""
    operator(*ENTER)
    worker_env.venue.faults(path=PLACE, kind="status", status=429, count=1)
    result = operator("positions", "close", "MNQ", "1", "--wait", "60")

    assert (0, "Closed 1 of MNQ H26 (SELL); still held: 1.\n") == (result.status, result.out), result
    assert [("EXPIRED",), ("FILLED",)] == worker_env.rows("SELECT state FROM orders WHERE role = 'EXIT' ORDER BY id")


@pytest.mark.usefixtures("user_hub")
def test_a_practice_order_is_filled_while_the_hub_reports(operator: RunCommand) -> None:
    result = operator("setup", "live", "--yes", "--contract", "MNQ")

    assert 0 == result.status, result
    assert "entry        OK" in result.out
