"""A limit entry beyond the market fills at the market: its stop and target lie at the prices that were sent."""

from decimal import Decimal
from typing import Any

from tests.fixtures.resting_orders import list_working_orders
from tests.fixtures.worker_env import WorkerEnv

LATEST = (
    "SELECT close_ticks * 0.25 FROM bar_minute JOIN contract ON contract.id = contract_id ORDER BY start DESC LIMIT 1"
)


def test_the_stop_and_the_target_of_a_limit_beyond_the_market_are_where_they_were_sent(worker_env: WorkerEnv) -> None:
    ((market,),) = worker_env.rows(LATEST)
    worker_env.venue.move_price(market)
    prices = {"limit_price": market + 50, "stop_loss": market - 50, "take_profit": market + 30}
    sent: dict[str, Any] = {name: str(price) for name, price in prices.items()}
    worker_env.entry_alert(has_stop=False, order_type="limit", **sent)
    worker_env.run_due_jobs()

    assert 1 == worker_env.venue.position(), worker_env.rows("SELECT state, reason FROM orders")
    for order in list_working_orders(worker_env):
        price = order["stopPrice"] if order["type"] == 4 else order["limitPrice"]
        wanted = prices["stop_loss" if order["type"] == 4 else "take_profit"]
        assert abs(Decimal(str(price)) - wanted) <= 1
