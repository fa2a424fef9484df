"""The events that the console of `up` shows: each once, with what a person needs."""

import re

from shared.db.accounts import halts
from shared.db.recent_events import RecentEvents
from shared.domain.orders.order import OrderType, Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv


def read(events: RecentEvents, worker_env: WorkerEnv) -> list[tuple[str, str]]:
    with worker_env.ledger.engine.connect() as connection:
        return [(one.kind, one.line) for one in events.read_new(connection)]


def test_alerts_fills_halts_and_dead_jobs_are_events_once(worker_env: WorkerEnv) -> None:
    worker_env.entry_alert()
    worker_env.run_due_jobs()
    events = RecentEvents()
    assert [] == read(events, worker_env)  # they happened before

    worker_env.entry_alert(quantity=1)
    worker_env.entry_alert(quantity=99)
    worker_env.run_due_jobs()
    with worker_env.ledger.engine.begin() as connection:
        halts.halt(connection, "a test")
        columns = "id, name, queue, arguments, max_attempts, correlation_id, sequence_id, state, finished_at"
        connection.exec_driver_sql(
            f"INSERT INTO job ({columns}) VALUES (gen_random_uuid(), 'orders.place_order', 'high', '{{}}', 1,"
            " gen_random_uuid(), gen_random_uuid(), 'dead', now())"
        )
    found = read(events, worker_env)

    lines = [line for kind, line in found if kind == "alert"]
    assert any(f"BUY 1 {MNQ} on " in line and line.endswith(": accepted") for line in lines)
    assert any(f"BUY 99 {MNQ} on " in line and ": denied: quantity 99 is not between" in line for line in lines)
    assert ["(entry)"] == [line.rpartition(" ")[2] for kind, line in found if kind == "filled"]
    assert [True] == [line.endswith(": a test") for kind, line in found if kind == "halted"]
    assert [True] == [line.startswith("orders.place_order ") for kind, line in found if kind == "dead job"]
    assert [] == read(events, worker_env)


def test_an_order_by_hand_is_no_alert_and_a_price_has_its_cents(worker_env: WorkerEnv) -> None:
    events = RecentEvents()
    worker_env.run(EnterManually(account_id=20001, symbol=MNQ, side=Side.BUY, type=OrderType.MARKET, quantity=1,
                                 stop_loss_ticks=400))  # fmt: skip
    found = read(events, worker_env)

    assert ["manual"] == [kind for kind, line in found if line.startswith(f"BUY 1 {MNQ} on ")]
    assert [True] == [re.search(r" at \d+\.\d\d on ", line) is not None for kind, line in found if kind == "filled"]
