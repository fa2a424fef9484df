"""Exits while our rows do not show what the venue holds, as somebody has traded in the firm's own screen."""

from typing import Any

import pytest

from tests.fixtures.alert_steps import (
    OTHER_MONTH,
    hold,
    result_of,
    run_next,
    run_until,
    strategy_fields,
    trade_by_hand,
    trade_every_month,
)
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv

POSITIONS = "/api/Position/searchOpen"


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A venue that trades every month."""
    return start_venue(change=trade_every_month)


@pytest.mark.parametrize(
    ("held", "traded", "fields", "left"),
    [
        (1, 2, {"quantity": 1}, 2),
        (1, 2, {"quantity": 3}, 0),
        (3, -2, {"quantity": 2}, 0),
        (1, -2, {"action": "close_long"}, -1),
        (1, 2, strategy_fields(market_position="long", market_position_size=1), 1),
    ],
    ids=["a part", "all", "more than is left", "a side that is gone", "a position"],
)
def test_a_part_is_measured_by_what_the_venue_holds(
    worker_env: WorkerEnv, held: int, traded: int, fields: dict[str, Any], left: int
) -> None:
    hold(worker_env, held)
    trade_by_hand(worker_env, traded)
    worker_env.critical_alert(**fields)
    run_until(worker_env, left)


def test_a_close_of_one_side_does_not_wait_for_the_list_of_positions(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.venue.faults(path=POSITIONS, kind="status", status=503, count=100)
    job_id = worker_env.critical_alert(action="close_long")
    run_next(worker_env, job_id)

    assert result_of(worker_env, job_id).startswith("succeeded")
    worker_env.venue.remove_faults()
    run_until(worker_env, 0)


@pytest.mark.parametrize(("quantity", "left", "left_of_other"), [(2, 1, 2), (4, 0, 1), (5, 0, 0), (9, 0, 0)], ids=str)
def test_a_part_that_exceeds_the_active_month_goes_on_in_the_next(
    worker_env: WorkerEnv, quantity: int, left: int, left_of_other: int
) -> None:
    hold(worker_env, 3)
    trade_by_hand(worker_env, 2, OTHER_MONTH)
    worker_env.critical_alert(quantity=quantity)
    run_until(worker_env, left)

    assert left_of_other == worker_env.venue.position(OTHER_MONTH)


@pytest.mark.parametrize("symbol", ["MNQM2026", "MNQ"])
def test_a_close_finds_a_month_that_only_the_venue_knows(worker_env: WorkerEnv, symbol: str) -> None:
    trade_by_hand(worker_env, 1, OTHER_MONTH)
    job_id = worker_env.critical_alert(symbol=symbol)
    run_until(worker_env, 0)

    assert OTHER_MONTH in result_of(worker_env, job_id)
    assert 0 == worker_env.venue.position(OTHER_MONTH)


@pytest.mark.parametrize(("symbol", "requested"), [("MNQM2026", []), ("MNQ", [(MNQ,)])])
def test_a_close_asks_again_for_other_months_and_requests_at_once_what_it_knows(
    worker_env: WorkerEnv, symbol: str, requested: list[tuple[str]]
) -> None:
    trade_by_hand(worker_env, 1, OTHER_MONTH)
    worker_env.venue.faults(path=POSITIONS, kind="status", status=503, count=100)
    job_id = worker_env.critical_alert(symbol=symbol)
    for _ in range(2):
        run_next(worker_env, job_id)

    assert "queued: PostponedError: the venue could not be asked" in result_of(worker_env, job_id)
    assert requested == worker_env.rows("SELECT contract_id FROM flatten_request")
    worker_env.venue.remove_faults()
    run_until(worker_env, 0)
    assert 0 == worker_env.venue.position(OTHER_MONTH)
