"""A trailing stop follows the price in steps, with pauses, and within a budget that leaves requests to exits."""

from decimal import Decimal
from typing import Any

import pytest

from shared.db.orders import changes
from shared.domain.orders.order import ChangeKind, Origin
from shared.domain.orders.stop_pace import MOST_MOVES
from shared.ids import new_id
from tests.fixtures.worker_env import WorkerEnv

MODIFY = "/api/Order/modify"
TICK = Decimal("0.25")


class Trailed:
    """A long of one whose stop trails by 40 ticks, and operations that count from its average price."""

    def __init__(self, worker_env: WorkerEnv) -> None:
        self.worker_env = worker_env
        worker_env.entry_alert(trail_ticks=40)
        worker_env.run_due_jobs()
        ((self.entry_id, self.entry),) = worker_env.rows(
            "SELECT id, average_fill_price FROM orders WHERE role = 'ENTRY'"
        )

    def watch_at(self, ticks: int) -> None:
        """Run the watch while the price is this many ticks above the entry."""
        self.worker_env.venue.move_price(self.entry + ticks * TICK)
        self.worker_env.write_quote(bid=self.entry + ticks * TICK)
        self.worker_env.watch()
        self.worker_env.run_due_jobs()

    def pass_time(self, seconds: int) -> None:
        """Let so much time pass since the moves of the stop."""
        self.worker_env.execute(f"UPDATE order_change SET created_at = created_at - interval '{seconds} seconds'")

    def requested(self) -> list[int]:
        """Return the prices of the stop that the venue was asked for, in ticks from the entry."""
        bodies: list[dict[str, Any]] = self.worker_env.venue.requests(MODIFY)
        return [int((Decimal(str(body["stopPrice"])) - self.entry) / TICK) for body in bodies]


@pytest.fixture
def trailed(worker_env: WorkerEnv) -> Trailed:
    return Trailed(worker_env)


def test_a_trailing_stop_moves_in_steps_and_not_each_second_unless_it_moves_far(trailed: Trailed) -> None:
    trailed.watch_at(0)
    trailed.watch_at(10)
    assert [-40] == trailed.requested()

    trailed.pass_time(5)
    trailed.watch_at(3)
    assert [-40] == trailed.requested()
    trailed.watch_at(10)
    assert [-40, -30] == trailed.requested()
    trailed.watch_at(30)
    assert [-40, -30, -10] == trailed.requested()
    assert {("high",)} == set(trailed.worker_env.rows("SELECT queue FROM job WHERE name = 'orders.change_order'"))


def test_a_move_that_the_venue_rejects_is_requested_again_after_a_growing_pause(trailed: Trailed) -> None:
    trailed.worker_env.venue.faults(path=MODIFY, kind="reject", count=None, error_code=3, message="Invalid price.")
    for _ in range(3):
        trailed.watch_at(10)
    assert 1 == len(trailed.requested())

    trailed.pass_time(5)
    for _ in range(2):
        trailed.watch_at(10)
    assert 2 == len(trailed.requested())
    trailed.pass_time(5)
    trailed.watch_at(100)
    assert 2 == len(trailed.requested())
    trailed.pass_time(5)
    trailed.worker_env.venue.remove_faults()
    trailed.watch_at(100)
    assert [-30, -30, 60] == trailed.requested()


def test_all_accounts_together_move_their_stops_within_one_budget(trailed: Trailed) -> None:
    with trailed.worker_env.ledger.engine.begin() as connection:
        for _ in range(MOST_MOVES):  # of other stops
            changes.create(
                connection,
                trailed.entry_id,
                ChangeKind.MODIFY,
                origin=Origin.PROTECTOR,
                reason="a test",
                correlation_id=new_id(),
                stop_price=trailed.entry,
            )
    trailed.watch_at(100)
    assert [] == trailed.requested()

    trailed.pass_time(61)
    trailed.watch_at(100)
    assert [60] == trailed.requested()
