"""A position of two entries of which a part is closed: one bracket stays, whose legs cancel each other."""

from decimal import Decimal
from typing import Any

import pytest

from tests.fixtures.resting_orders import list_working_orders
from tests.fixtures.watched_position import entry_price
from tests.fixtures.worker_env import WorkerEnv

TICK = Decimal("0.25")


@pytest.fixture
def scaled_in(worker_env: WorkerEnv) -> tuple[WorkerEnv, Decimal]:
    """Long two, entered 60 ticks apart, each with a stop and a target of its own; and the price of the first entry."""
    worker_env.entry_alert(stop_loss_ticks=100, take_profit_ticks=200)
    worker_env.run_due_jobs()
    price = entry_price(worker_env)
    worker_env.venue.move_price(price + 60 * TICK)
    worker_env.write_quote(bid=price + 60 * TICK)
    worker_env.entry_alert(stop_loss_ticks=100, take_profit_ticks=200)
    worker_env.run_due_jobs()
    return worker_env, price


@pytest.mark.parametrize(
    "alert",
    [
        {"action": "close", "quantity": 1},
        {"action": "sell", "quantity": 1, "market_position": "long", "market_position_size": 1},
    ],
    ids=["a close of a part", "a smaller target position"],
)
def test_what_stays_after_a_part_is_closed_opens_nothing_while_no_program_runs(
    scaled_in: tuple[WorkerEnv, Decimal], alert: dict[str, Any]
) -> None:
    worker_env, price = scaled_in
    worker_env.critical_alert(**alert)
    worker_env.run_due_jobs()

    assert 1 == worker_env.venue.position()
    legs = list_working_orders(worker_env)
    assert [1, 4] == sorted(leg["type"] for leg in legs)
    assert 1 == len({leg["parentOrderId"] for leg in legs})
    worker_env.venue.move_price(price + 270 * TICK)  # beyond both targets
    worker_env.venue.move_price(price - 110 * TICK)  # beyond both stops
    assert 0 == worker_env.venue.position()
    assert [] == list_working_orders(worker_env)
