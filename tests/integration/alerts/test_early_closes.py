"""What a market entry reverses is closed at once, also while the entry waits behind an earlier one or expires."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.db.alerts import hooks
from shared.domain.market_data.contract_text import shorten_contract
from shared.hot.quotes import quote_key
from tests.fixtures.alert_steps import ENTRIES, hold, last_signal, result_of, run_next, run_until, time_ago
from tests.fixtures.operator import RunCommand
from tests.fixtures.processes import until
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv
from workers.orders import venue_state

CLOSING_JOBS = "SELECT (arguments ->> 'account_id')::bigint FROM job WHERE name = 'alerts.close_reversed' ORDER BY 1"
EXITS = "SELECT side, quantity, state FROM orders WHERE role = 'EXIT' ORDER BY created_at"
UNFINISHED = "SELECT 1 FROM job WHERE name = 'alerts.close_reversed' AND state IN ('queued', 'running')"
REDUCTIONS = "SELECT 1 FROM job WHERE name = 'orders.reduce_position'"


def store_waiting(worker_env: WorkerEnv, **fields: Any) -> UUID:
    """Store an entry that waits for a fresh quote."""
    job_id = worker_env.entry_alert(**fields)
    worker_env.redis.delete(quote_key(MNQ))
    worker_env.runner.run(job_id)
    worker_env.execute(f"UPDATE job SET run_at = now() + interval '1 hour' WHERE id = '{job_id}'")
    assert result_of(worker_env, job_id).startswith("queued")
    return job_id


def test_a_market_entry_closes_while_an_earlier_entry_waits_and_opens_nothing_against_that(
    worker_env: WorkerEnv,
) -> None:
    hold(worker_env, 1)
    earlier = store_waiting(worker_env)
    reversal = worker_env.entry_alert(action="sell", quantity=2)
    run_until_closed(worker_env)
    assert result_of(worker_env, reversal).startswith("queued")
    run_next(worker_env, earlier)
    run_until(worker_env, 0)

    assert f"an entry that reversed {MNQ} was requested after this one" in result_of(worker_env, earlier)
    assert [("SELL", 1, "FILLED")] == worker_env.rows(EXITS)
    assert result_of(worker_env, reversal).startswith("succeeded")


def test_an_earlier_limit_entry_takes_nothing_from_what_a_market_entry_opens(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    store_waiting(worker_env, order_type="limit", limit_price="10000")
    worker_env.entry_alert(action="sell", quantity=3)
    ((closing,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'")
    run_next(worker_env, closing)

    assert [(1, 2)] == worker_env.rows("SELECT quantity_closing, quantity_opening FROM entry_reversal")


def run_until_closed(worker_env: WorkerEnv) -> None:
    """Run what is due until the venue holds nothing and the closing jobs have ended."""
    while worker_env.venue.position() or worker_env.rows(UNFINISHED):
        worker_env.write_quote()
        worker_env.run_due_jobs()


def test_an_entry_whose_job_has_expired_has_closed_what_it_reverses(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    worker_env.execute(f"UPDATE job SET state = 'expired', finished_at = now() WHERE id = '{job_id}'")
    run_until(worker_env, 0)

    assert [("SELL", 1, "FILLED")] == worker_env.rows(EXITS)


def test_a_part_that_an_entry_closes_waits_for_no_entry_and_drops_none(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    earlier = store_waiting(worker_env)
    worker_env.entry_alert(action="sell", quantity=1)
    while worker_env.venue.position() != 1:
        worker_env.run_due_jobs()
    run_next(worker_env, earlier)
    run_until(worker_env, 2)

    assert [("BUY", "MARKET", 2, "FILLED"), ("BUY", "MARKET", 1, "FILLED")] == worker_env.rows(ENTRIES)


@pytest.mark.parametrize("has_rejection", [False, True])
def test_the_two_jobs_of_an_entry_close_once(worker_env: WorkerEnv, *, has_rejection: bool) -> None:
    hold(worker_env, 5)
    if has_rejection:
        worker_env.venue.faults(path="/api/Order/place", kind="reject", error_code=2, message="no")
    job_id = worker_env.entry_alert(action="sell", quantity=2)
    ((closing,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'")
    for one in (closing, job_id, closing):
        run_next(worker_env, one)
    assert 1 == len(worker_env.rows(REDUCTIONS))
    run_until(worker_env, 3)

    filled = [("SELL", 2, "FILLED")]
    assert ([("SELL", 2, "REJECTED"), *filled] if has_rejection else filled) == worker_env.rows(EXITS)
    assert [result_of(worker_env, one)[:9] for one in (job_id, closing)] == ["succeeded"] * 2


def test_what_was_entered_after_an_entry_is_not_closed_by_it(worker_env: WorkerEnv) -> None:
    hold(worker_env, -1)
    worker_env.entry_alert(action="buy", quantity=1)
    reversal = worker_env.entry_alert(action="sell", quantity=2)
    worker_env.execute(f"UPDATE job SET state = 'expired', finished_at = now() WHERE id = '{reversal}'")
    worker_env.execute("UPDATE job SET run_at = now() + interval '1 hour' WHERE name = 'alerts.close_reversed'")
    worker_env.entry_alert(action="buy", quantity=2)
    worker_env.execute("UPDATE job SET run_at = now() + interval '1 hour' WHERE name = 'alerts.close_reversed'")
    while worker_env.venue.position() != 2:
        worker_env.run_due_jobs()
    worker_env.execute("UPDATE job SET run_at = now() WHERE name = 'alerts.close_reversed'")
    run_until(worker_env, 2)


def test_each_account_of_a_hook_has_a_closing_job_if_it_holds_the_other_side(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    hook_id, other = worker_env.add_hook(), worker_env.venue.account_id + 1000
    worker_env.execute(
        "INSERT INTO account SELECT (jsonb_populate_record(a, jsonb_build_object("
        f"'id', {other}, 'name', 'PRAC-V2-2'))).* FROM account a"
    )
    with worker_env.ledger.engine.begin() as connection:
        hooks.set_followers(connection, hook_id, {other: Decimal(1)})
    worker_env.entry_alert(hook_id)
    assert [] == worker_env.rows(CLOSING_JOBS)
    worker_env.run_due_jobs()
    worker_env.entry_alert(hook_id, action="sell")
    assert [(worker_env.venue.account_id,)] == worker_env.rows(CLOSING_JOBS)
    worker_env.execute(
        "INSERT INTO position SELECT (jsonb_populate_record(p, jsonb_build_object("
        f"'account_id', {other}))).* FROM position p"
    )
    worker_env.entry_alert(hook_id, action="sell", quantity=3)
    ((closing,),) = worker_env.rows(
        "SELECT id FROM job WHERE name = 'alerts.close_reversed' AND arguments ->> 'account_id' = %s", str(other)
    )
    run_next(worker_env, closing)

    assert [(other, 2)] == worker_env.rows("SELECT account_id, quantity_closing FROM entry_reversal")


@pytest.mark.parametrize(
    ("held", "fields", "has_job"),
    [
        (0, {"action": "sell"}, False),
        (1, {"action": "buy"}, False),
        (1, {"action": "sell"}, True),
        (1, {"action": "sell", "order_type": "limit", "limit_price": "30000"}, False),
    ],
    ids=["flat", "adds", "reverses", "limit"],
)
def test_only_an_entry_that_may_reverse_something_has_a_closing_job(
    worker_env: WorkerEnv, held: int, fields: dict[str, Any], *, has_job: bool
) -> None:
    if held:
        hold(worker_env, held)
    worker_env.entry_alert(**fields)

    assert has_job is bool(worker_env.rows(CLOSING_JOBS))


@pytest.mark.parametrize("is_by_closing_job", [True, False])
@pytest.mark.parametrize(("quantity", "told"), [(2, "closed, and nothing to open"), (3, "stale: it was sent 60 s")])
def test_a_stale_market_entry_closes_what_it_reverses_and_opens_nothing(
    worker_env: WorkerEnv, operator: RunCommand, quantity: int, told: str, *, is_by_closing_job: bool
) -> None:
    hold(worker_env, 2)
    fields: dict[str, Any] = {"action": "sell", "quantity": quantity, "timenow": time_ago(60)}
    forecast = operator("alerts", "mock", json.dumps({"symbol": "MNQ"} | fields)).words
    assert f"closes {shorten_contract(MNQ)}" in forecast
    assert (quantity == 3) is ("stale" in forecast)
    job_id = worker_env.entry_alert(**fields)
    ((closing,),) = worker_env.rows("SELECT id FROM job WHERE name = 'alerts.close_reversed' AND state = 'queued'")
    run_next(worker_env, closing if is_by_closing_job else job_id)
    run_until(worker_env, 0)

    assert [("SELL", 2, "FILLED")] == worker_env.rows(EXITS)
    assert 1 == len(worker_env.rows(ENTRIES))
    assert told in last_signal(worker_env)[2]


def test_a_stale_market_entry_closes_nothing_that_an_alert_sent_later_has_entered(worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook()
    worker_env.entry_alert(hook_id, timenow=time_ago(2))
    run_until(worker_env, 1)
    worker_env.entry_alert(hook_id, action="sell", timenow=time_ago(60))
    run_until(worker_env, 1)


def test_an_entry_has_a_closing_job_while_the_fill_of_the_one_before_it_is_not_recorded(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_next(worker_env, worker_env.entry_alert())
    until(lambda: worker_env.venue.position(MNQ) == 1)
    with monkeypatch.context() as patch:
        patch.setattr(venue_state, "apply_fills", lambda *_: None)
        ((job_id,),) = worker_env.rows("SELECT id FROM job WHERE state = 'queued' AND name = 'orders.poll_fills'")
        run_next(worker_env, job_id)
    assert [("BUY", "MARKET", 1, "FILLED")] == worker_env.rows(ENTRIES)
    worker_env.entry_alert()
    assert [] == worker_env.rows(CLOSING_JOBS)
    worker_env.entry_alert(action="sell")
    assert [(worker_env.venue.account_id,)] == worker_env.rows(CLOSING_JOBS)
