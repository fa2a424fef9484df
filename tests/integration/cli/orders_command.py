"""`tickwork orders` for tests: a resting entry, prices and states."""

from decimal import Decimal
from typing import Any

from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv

PLACE, MODIFY, CLOSE = "/api/Order/place", "/api/Order/modify", "/api/Position/closeContract"


def enter_resting(operator: RunCommand, worker_env: WorkerEnv, *more: str, quantity: int = 1) -> dict[str, Any]:
    """Enter a buy limit far below the market; return the order as the command printed it."""
    command = ("orders", "limit", "MNQ", "buy", str(quantity))
    price = newest_close(worker_env) - 100
    result = operator(*command, "--price", str(price), "--stop", "40", "--json", *more)
    assert 0 == result.status, result
    found: dict[str, Any] = result.json["order"]
    return found


def newest_close(worker_env: WorkerEnv) -> Decimal:
    price: Decimal = worker_env.rows("SELECT close_ticks * 0.25 FROM bar_minute ORDER BY start DESC LIMIT 1")[0][0]
    return price


def read_state(worker_env: WorkerEnv, order_id: str) -> str:
    return str(worker_env.rows("SELECT state FROM orders WHERE id = %s", order_id)[0][0])
