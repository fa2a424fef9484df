"""`tickwork accounts lock-out`: no entry until a time, which a person can prolong and nothing can shorten."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.orders.order import OrderType, Side
from shared.ledger.jobs.orders import EnterManually
from tests.fixtures.alert_steps import average, hold
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

LOCK_OUT = ("accounts", "lock-out", "20001")
UNTIL = "SELECT locked_out_until_market_at FROM account"
HOUR = timedelta(hours=1)


@pytest.fixture
def now(worker_env: WorkerEnv) -> datetime:
    """Return the time of the market, to the minute."""
    return worker_env.venue.clock.now().astimezone(UTC).replace(second=0, microsecond=0)


def try_to_enter(worker_env: WorkerEnv) -> str | None:
    job_id = worker_env.entry_alert()
    worker_env.run_due_jobs()
    return worker_env.job(job_id)[2]


def test_a_locked_out_account_enters_nothing_cancels_resting_entries_and_exits(
    operator: RunCommand, worker_env: WorkerEnv, now: datetime
) -> None:
    hold(worker_env, 1)
    resting: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": str(average(worker_env) - 200)}
    worker_env.run(
        EnterManually(account_id=20001, symbol="MNQ", side=Side.BUY, quantity=1, stop_loss_ticks=40, **resting)
    )
    result = operator(*LOCK_OUT, (now + HOUR).isoformat(), "--reason", "enough", "--json").json
    assert now + HOUR == datetime.fromisoformat(result["locked_out_until_market_at"])

    assert "locked out: a person lets the account enter nothing until 2026-03-10" in (try_to_enter(worker_env) or "")
    worker_env.write_quote()
    worker_env.watch()
    worker_env.run_due_jobs()
    assert [("CANCELLED",)] == worker_env.rows("SELECT state FROM orders WHERE type = 'LIMIT' AND role = 'ENTRY'")
    assert 1 == worker_env.venue.position(MNQ), "nothing is closed"
    worker_env.critical_alert()
    worker_env.run_due_jobs()
    assert 0 == worker_env.venue.position(MNQ)


def test_a_lock_out_is_shown_with_the_halts_and_audited(operator: RunCommand, now: datetime) -> None:
    assert 0 == operator(*LOCK_OUT, (now + HOUR).isoformat(), "--reason", "enough").status

    assert "NO ENTRY: locked out: a person lets the account enter nothing until" in operator("risk").words
    (row,) = operator("accounts", "--json").json["accounts"]
    assert (now + HOUR).isoformat() == row["locked_out_until_market_at"]
    assert " Chicago" in operator("accounts").out
    assert "is LOCKED OUT until 2026-03-10 " in operator("positions").words
    (act,) = operator("accounts", "audit", "--json").json["acts"]
    assert ("lock_out", "enough", {"locked_out_until_market_at": None}) == (act["act"], act["reason"], act["before"])
    assert now + HOUR == datetime.fromisoformat(act["after"]["locked_out_until_market_at"])


def test_nothing_shortens_or_lifts_a_lock_out_and_the_same_command_prolongs_it(
    operator: RunCommand, worker_env: WorkerEnv, now: datetime
) -> None:
    until = now + 2 * HOUR
    assert 0 == operator(*LOCK_OUT, until.isoformat()).status
    for sooner in (until, now + HOUR):
        refused = operator(*LOCK_OUT, sooner.isoformat())
        assert "a lock-out can be prolonged, and neither shortened nor lifted" in refused.error
    for command in (("accounts", "rules", "20001", "--reset"), ("halt", "a test"), ("resume", "a test")):
        assert 0 == operator(*command).status
        assert [(until,)] == worker_env.rows(UNTIL)
    assert "locked out" in (try_to_enter(worker_env) or "")

    assert 0 == operator(*LOCK_OUT, (until + HOUR).isoformat()).status
    assert [(until + HOUR,)] == worker_env.rows(UNTIL)
    worker_env.execute(f"UPDATE account SET locked_out_until_market_at = '{now - HOUR}'")
    assert None is try_to_enter(worker_env)
    assert None is operator("accounts", "--json").json["accounts"][0]["locked_out_until_market_at"]
    assert 0 == operator(*LOCK_OUT, (now + HOUR).isoformat()).status, "one that has ended does not count"


def test_a_lock_out_of_more_than_a_week_asks_first(operator: RunCommand, worker_env: WorkerEnv, now: datetime) -> None:
    until = (now + timedelta(days=8)).isoformat()
    assert "nothing lifts that. Lock it out? There is no terminal" in operator(*LOCK_OUT, until).words
    assert "nothing was changed" in operator(*LOCK_OUT, until, typed="n\n").error
    assert [(None,)] == worker_env.rows(UNTIL)
    assert 0 == operator(*LOCK_OUT, until, "--yes").status

    assert "invalid end of a lock-out 'tomorrow'" in operator(*LOCK_OUT, "tomorrow").error
