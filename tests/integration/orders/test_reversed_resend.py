"""An entry that the venue never received is not sent again once another one has reversed its contract."""

from uuid import UUID

import pytest

from shared.domain.orders.order import OrderState
from tests.fixtures.entries import ENTRY, PLACE, age_in_doubt_order
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


@pytest.mark.parametrize(
    ("request_id", "state"), [(UUID(int=1), OrderState.FILLED), (UUID(int=2**128 - 1), OrderState.EXPIRED)]
)
def test_a_lost_request_is_not_sent_again_if_an_entry_that_was_requested_later_has_reversed_it(
    worker_env: WorkerEnv, request_id: UUID, state: OrderState
) -> None:
    worker_env.venue.faults(path=PLACE, kind="lose_before")
    worker_env.runner.run(worker_env.entry_alert())
    age_in_doubt_order(worker_env)
    worker_env.execute(
        "INSERT INTO entry_reversal"
        " (request_id, account_id, contract_id, side, quantity_closing, quantity_opening, closes_all)"
        f" VALUES ('{request_id}', {worker_env.venue.account_id}, '{MNQ}', 'SELL', 1, 0, true)"
    )
    worker_env.run_due_jobs()

    assert [state] == [row[0] for row in worker_env.rows(ENTRY)]
