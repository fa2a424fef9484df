"""How far from its price the guard places the stop of a position that no entry of ours opened."""

from decimal import Decimal

import pytest

from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.worker_env import WorkerEnv

LOSS_AT_STOP = """
    SELECT (average_price - stop_price) * 2 * position.quantity
    FROM position JOIN orders USING (account_id, contract_id) WHERE role = 'STOP_LOSS' AND state = 'WORKING'
"""
LEFT = Decimal(150)


def loss_at_stop(worker_env: WorkerEnv, size: int = 1) -> Decimal:
    """Trade by hand, reconcile, and return the loss in dollars at the stop that the guard has placed."""
    worker_env.venue.trade(size=size)
    worker_env.run(ReconcileAccounts())
    ((loss,),) = worker_env.rows(LOSS_AT_STOP)
    return Decimal(loss)


def test_the_stop_of_a_position_opened_elsewhere_risks_200_dollars_while_more_are_left(worker_env: WorkerEnv) -> None:
    assert Decimal(200) == loss_at_stop(worker_env)


@pytest.mark.parametrize("default_stop_ticks", ["NULL", "2000"])
@pytest.mark.parametrize(
    "limit",
    [
        "high_water_mark = 51850",  # the max loss limit of 2,000 begins at 49,850
        """high_water_mark = 50000, rule_changes = '{"daily_loss_limit": "150"}'""",
    ],
)
def test_the_stop_of_a_position_opened_elsewhere_lies_within_what_may_still_be_lost(
    worker_env: WorkerEnv, limit: str, default_stop_ticks: str
) -> None:
    worker_env.execute(
        f"""UPDATE account SET preset = 'combine-50k', day_opening_balance = 50000, {limit},
            default_stop_ticks = {default_stop_ticks}"""
    )
    costs = 2 * Decimal("2.72")
    loss = loss_at_stop(worker_env, size=2)

    assert LEFT - costs - 5 < loss < LEFT - costs
