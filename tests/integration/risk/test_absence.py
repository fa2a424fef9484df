"""A position that was closed while nothing ran, for days: its fill is found, or counts no more once it is adopted."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.ledger.jobs.accounts import SnapshotAccounts
from shared.ledger.jobs.orders import ReconcileAccount
from shared.ledger.jobs.trades import BookRoundTrips
from tests.fixtures.watched_position import entry_price, watch_at, watch_once_at
from tests.fixtures.worker_env import WorkerEnv
from workers.orders import reconcile_account, venue_view
from workers.risk.confirmation import SETTLING_RUNS

TRADES = "/api/Trade/search"
POSITION = "SELECT direction, quantity FROM position"


def reconcile(worker_env: WorkerEnv) -> None:
    state, _, error = worker_env.run(ReconcileAccount(account_id=worker_env.venue.account_id))
    assert "succeeded" == state, error


@pytest.fixture
def adopted(long_two: WorkerEnv, monkeypatch: pytest.MonkeyPatch) -> WorkerEnv:
    """Closed at a loss while nothing ran; no fill of the venue reached back to that, so flat was adopted."""
    monkeypatch.setattr(reconcile_account, "_LISTED_WITHIN", timedelta())
    entry = entry_price(long_two)
    long_two.run(SnapshotAccounts())
    watch_once_at(long_two, entry)
    long_two.venue.move_price(entry - 100)
    long_two.venue.close_position()
    real = venue_view.fetch

    def fetch_without_fills(*args: Any, **options: Any) -> venue_view.VenueView:
        return replace(real(*args, **options), fills=[])

    monkeypatch.setattr(venue_view, "fetch", fetch_without_fills)
    reconcile(long_two)
    monkeypatch.setattr(venue_view, "fetch", real)
    assert [("FLAT", 0)] == long_two.rows(POSITION)
    return long_two


@pytest.mark.parametrize(("days", "found"), [(0, 0), (3, 3), (40, 30)])
@pytest.mark.parametrize("is_started", [False, True], ids=["it slept", "it was started again"])
def test_fills_are_searched_for_from_the_last_complete_reconcile_on(
    worker_env: WorkerEnv, days: int, found: int, *, is_started: bool
) -> None:
    worker_env.execute(f"UPDATE account SET compared_until_at = now() - interval '{days} days'")
    if is_started:
        worker_env.execute("UPDATE account SET reconciled_at = NULL")
    reconcile(worker_env)

    since = datetime.fromisoformat(worker_env.venue.requests(TRADES)[-1]["startTimestamp"])
    searched = worker_env.venue.clock.now() - since
    assert timedelta(days=found) <= searched < timedelta(days=found, hours=1)


def test_a_fill_from_before_an_adopted_position_counts_no_more_when_it_is_recorded(adopted: WorkerEnv) -> None:
    """The check of the balance records it, days later."""
    entry = entry_price(adopted)
    adopted.run(SnapshotAccounts())
    watch_once_at(adopted, entry)
    adopted.execute(f"UPDATE account SET pending_runs = {SETTLING_RUNS - 1}")
    watch_once_at(adopted, entry)
    adopted.run_due_jobs()

    assert [(2,)] == adopted.rows("SELECT count(*) FROM fill")
    assert [("FLAT", 0)] == adopted.rows(POSITION)
    watch_at(adopted, entry + 400)
    assert [(None,)] == adopted.rows("SELECT breached_market_at FROM account")


def test_what_is_traded_after_an_adopted_position_adds_to_it(adopted: WorkerEnv) -> None:
    adopted.venue.trade()
    reconcile(adopted)

    assert [("LONG", 1)] == adopted.rows(POSITION)


def test_round_trips_after_an_adopted_position_are_booked(adopted: WorkerEnv) -> None:
    adopted.venue.trade()
    adopted.venue.close_position()
    reconcile(adopted)
    adopted.execute("DELETE FROM fill WHERE side = 'SELL' AND quantity = 2")  # as if it were found no more
    adopted.run(BookRoundTrips())

    assert [("LONG", 1)] == adopted.rows("SELECT direction, quantity FROM round_trip")
