"""Which accounts trade a strategy, against a real database and the simulator."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.ledger.jobs.strategies import EvaluateDue, EvaluateStrategy
from tests.fixtures.operator import Type
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv
from workers.strategies.request_evaluations import newest_close

TIMEFRAME = timedelta(minutes=5)
# What mean reversion buys: tests/unit/strategies/test_mean_reversion.py.
FALL = [0] * 14 + [-1, -2, -3, -4, -6, -40]
RUNS = "SELECT account_id, decision, reason, signal_id IS NOT NULL FROM strategy_run ORDER BY account_id"


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


def accounts_of(worker_env: WorkerEnv) -> list[int]:
    return [row[0] for row in worker_env.rows("SELECT id FROM account ORDER BY id")]


def let_fall(worker_env: WorkerEnv) -> datetime:
    """Put a fall that mean reversion buys in the place of the newest bars; return when its last bar closed.

    What was asked and decided at the worker_env's start is forgotten.
    """
    for table in ("strategy_run", "job_key", "job"):
        worker_env.execute(f"DELETE FROM {table}")
    closed_until = newest_close(worker_env.venue.clock.now(), TIMEFRAME)
    ((base,),) = worker_env.rows(
        "SELECT close_ticks FROM bar_minute WHERE contract_id = %s ORDER BY start DESC LIMIT 1", MNQ
    )
    begin = closed_until - len(FALL) * TIMEFRAME
    worker_env.execute(f"DELETE FROM bar_minute WHERE contract_id = '{MNQ}' AND start >= '{begin.isoformat()}'")
    rows = [(begin + number * TIMEFRAME, base + change) for number, change in enumerate(FALL)]
    values = ", ".join(
        f"('{MNQ}', '{start.isoformat()}', {close}, {close + 1}, {close - 1}, {close}, 10)" for start, close in rows
    )
    worker_env.execute(
        "INSERT INTO bar_minute (contract_id, start, open_ticks, high_ticks, low_ticks, close_ticks, volume) "
        f"VALUES {values}"
    )
    return closed_until


def evaluate(worker_env: WorkerEnv, account_id: int | None, closed_until: datetime) -> Any:
    worker_env.tell_quote()
    state, result, error = worker_env.do(
        EvaluateStrategy(strategy="mean_reversion", contract_id=MNQ, closed_until=closed_until, account_id=account_id)
    )
    assert "succeeded" == state, error
    return result


def asked_for(worker_env: WorkerEnv) -> list[int | None]:
    """Evaluate what is due, and return for which accounts that was."""
    assert "succeeded" == worker_env.do(EvaluateDue(slot=worker_env.venue.clock.now()))[0]
    rows = worker_env.rows("SELECT arguments ->> 'account_id' FROM job WHERE name = 'strategies.evaluate_strategy'")
    return sorted((None if row[0] is None else int(row[0]) for row in rows), key=lambda account_id: account_id or 0)


def entries(worker_env: WorkerEnv) -> list[tuple[Any, ...]]:
    return worker_env.rows("SELECT account_id, state FROM orders WHERE role = 'ENTRY' ORDER BY account_id")


def test_with_two_accounts_a_strategy_that_nobody_switched_on_only_shows_what_it_would_do(
    worker_env: WorkerEnv,
) -> None:
    let_fall(worker_env)

    assert [None] == asked_for(worker_env)
    ((account_id, decision, reason, has_signal),) = worker_env.rows(RUNS)
    assert (None, "BUY", False) == (account_id, decision, has_signal)
    assert "not traded: no account trades it" in reason
    assert "tickwork strategies on" in reason
    assert [] == entries(worker_env)


def test_a_strategy_trades_each_account_it_is_switched_on_for_and_has_one_run_of_each(
    worker_env: WorkerEnv, operator: Type
) -> None:
    first, second = accounts_of(worker_env)
    for account_id in (first, second):
        assert 0 == operator("strategies", "on", "mean_reversion", str(account_id)).status
    closed_until = let_fall(worker_env)

    assert [first, second] == asked_for(worker_env)
    assert [(first, "BUY", True), (second, "BUY", True)] == [(row[0], row[1], row[3]) for row in worker_env.rows(RUNS)]
    assert [(first, "FILLED"), (second, "FILLED")] == entries(worker_env)
    assert "evaluated before" == evaluate(worker_env, first, closed_until)["reason"]
    assert 2 == len(entries(worker_env))


def test_complaint_7_a_strategy_sees_closed_bars_only(worker_env: WorkerEnv, operator: Type) -> None:
    """The bar under way is not decided on, though a minute of it is stored, or one asks for it too early."""
    first, _ = accounts_of(worker_env)
    operator("strategies", "on", "mean_reversion", str(first))
    closed_until = let_fall(worker_env)
    worker_env.execute(
        "INSERT INTO bar_minute (contract_id, start, open_ticks, high_ticks, low_ticks, close_ticks, volume) "
        f"SELECT contract_id, '{closed_until.isoformat()}', close_ticks, close_ticks + 900, close_ticks, "
        f"close_ticks + 900, 10 FROM bar_minute WHERE contract_id = '{MNQ}' ORDER BY start DESC LIMIT 1"
    )

    too_early = evaluate(worker_env, first, closed_until + timedelta(minutes=1))
    assert ("none", "nothing was traded in the bar") == (too_early["decision"], too_early["reason"])
    asked = evaluate(worker_env, first, closed_until)
    assert "BUY" == asked["decision"], "a rise after the bar's end is not seen"
    assert "RSI 0.0" in asked["reason"]


def test_one_account_in_trouble_holds_a_strategy_up_on_no_other(worker_env: WorkerEnv, operator: Type) -> None:
    first, second = accounts_of(worker_env)
    for account_id in (first, second):
        operator("strategies", "on", "mean_reversion", str(account_id))
    operator("halt", "by hand", "--account", str(first))
    closed_until = let_fall(worker_env)

    assert "is halted: by hand" in evaluate(worker_env, first, closed_until)["reason"]
    assert "not traded" not in evaluate(worker_env, second, closed_until)["reason"]
    assert [(first, "DENIED"), (second, "FILLED")] == entries(worker_env)


def test_off_counts_at_once_also_for_an_evaluation_that_waits(worker_env: WorkerEnv, operator: Type) -> None:
    first, second = accounts_of(worker_env)
    for account_id in (first, second):
        operator("strategies", "on", "mean_reversion", str(account_id))
    closed_until = let_fall(worker_env)
    said = operator("strategies", "off", "mean_reversion", str(first))

    assert f"mean_reversion trades account {second} (" in said.out
    reason = evaluate(worker_env, first, closed_until)["reason"]
    assert f"not traded: account {first} trades mean_reversion no longer" in reason
    assert [] == entries(worker_env)


def test_the_only_account_trades_without_a_word_until_it_is_switched_off(worker_env: WorkerEnv, operator: Type) -> None:
    first, second = accounts_of(worker_env)
    worker_env.execute(f"UPDATE account SET can_trade = false WHERE id = {second}")
    rows = {row["account"]: row for row in operator("strategies", "--json").json["strategies"]}
    assert ("yes", "the only account that may trade") == (rows[first]["trades"], rows[first]["why"])
    assert ("no", "the venue lets it trade nothing") == (rows[second]["trades"], rows[second]["why"])

    said = operator("strategies", "off", "mean_reversion", str(first), "--json").json
    assert {"strategy": "mean_reversion", "trading": []} == said
    rows = {row["account"]: row for row in operator("strategies", "--json").json["strategies"]}
    assert ("no", "switched off by hand") == (rows[first]["trades"], rows[first]["why"])
    assert "no account trades it" in rows[None]["why"]
    (event,) = operator("accounts", "show", str(first), "--json").json["events"][:1]
    assert ("strategy_off", "mean_reversion, by hand") == (event["kind"], event["message"])


def test_the_list_says_what_each_account_was_last_told(worker_env: WorkerEnv, operator: Type) -> None:
    first, _ = accounts_of(worker_env)
    operator("strategies", "on", "mean_reversion", str(first))
    evaluate(worker_env, first, let_fall(worker_env))
    (row,) = (one for one in operator("strategies", "--json").json["strategies"] if one["account"] == first)

    assert (MNQ, "BUY") == (row["contract_id"], row["decision"])
    assert "RSI" in row["reason"]
    assert "switched on by hand" in operator("strategies").words


def test_what_is_no_strategy_and_what_may_not_trade_are_named(worker_env: WorkerEnv, operator: Type) -> None:
    first, second = accounts_of(worker_env)
    unknown = operator("strategies", "on", "mean", str(first))
    assert 0 != unknown.status
    assert "no strategy 'mean'; there are: mean_reversion" in unknown.error
    assert "account 7 is unknown" in operator("strategies", "on", "mean_reversion", "7").error

    worker_env.execute(f"UPDATE account SET can_trade = false WHERE id = {second}")
    said = operator("strategies", "on", "mean_reversion", str(second))
    assert f"Account {second} may not trade at the venue; mean_reversion begins when it may." in said.words
