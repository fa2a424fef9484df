"""The assignment of strategies to accounts, against a real database and the simulator."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from shared.domain.market_data.calendar import assumed_calendar_of
from shared.domain.market_data.rollup import newest_close
from shared.domain.market_data.timeframe import Timeframe
from shared.ledger.jobs.strategies import EvaluateDue, EvaluateStrategy
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv

FIVE_MINUTES = timedelta(minutes=5)
# A fall that mean reversion buys: tests/unit/strategies/test_mean_reversion.py.
FALL = [0] * 14 + [-1, -2, -3, -4, -6, -40]
RUNS = "SELECT account_id, decision, reason, signal_id IS NOT NULL FROM strategy_run ORDER BY account_id"


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


def accounts_of(worker_env: WorkerEnv) -> list[int]:
    return [row[0] for row in worker_env.rows("SELECT id FROM account ORDER BY id")]


def insert_falling_bars(worker_env: WorkerEnv, contract_id: str = MNQ) -> datetime:
    """Replace the newest bars with a fall that mean reversion buys; return the close of its last bar.

    The requests and decisions from the start of the worker are deleted.
    """
    for table in ("strategy_run", "job_key", "job"):
        worker_env.execute(f"DELETE FROM {table}")
    closed_until = newest_close(worker_env.venue.clock.now(), Timeframe.parse("5m"), assumed_calendar_of("equity"))
    ((base,),) = worker_env.rows(
        "SELECT close_ticks FROM bar_minute WHERE contract_id = %s ORDER BY start DESC LIMIT 1", contract_id
    )
    begin = closed_until - len(FALL) * FIVE_MINUTES
    worker_env.execute(f"DELETE FROM bar_minute WHERE contract_id = '{contract_id}' AND start >= '{begin.isoformat()}'")
    rows = [(begin + number * FIVE_MINUTES, base + change) for number, change in enumerate(FALL)]
    values = ", ".join(
        f"('{contract_id}', '{start.isoformat()}', {close}, {close + 1}, {close - 1}, {close}, 10)"
        for start, close in rows
    )
    worker_env.execute(
        "INSERT INTO bar_minute (contract_id, start, open_ticks, high_ticks, low_ticks, close_ticks, volume) "
        f"VALUES {values}"
    )
    worker_env.forget_recent_bars()
    return closed_until


def evaluate(worker_env: WorkerEnv, account_id: int | None, closed_until: datetime) -> Any:
    worker_env.write_quote()
    state, result, error = worker_env.run(
        EvaluateStrategy(strategy="mean_reversion", contract_id=MNQ, closed_until=closed_until, account_id=account_id)
    )
    assert "succeeded" == state, error
    return result


def evaluate_due_accounts(worker_env: WorkerEnv) -> list[int | None]:
    """Run the evaluations that are due, and return their accounts."""
    assert "succeeded" == worker_env.run(EvaluateDue(slot=worker_env.venue.clock.now()))[0]
    rows = worker_env.rows("SELECT arguments ->> 'account_id' FROM job WHERE name = 'strategies.evaluate_strategy'")
    return sorted((None if row[0] is None else int(row[0]) for row in rows), key=lambda account_id: account_id or 0)


def list_entries(worker_env: WorkerEnv) -> list[tuple[Any, ...]]:
    return worker_env.rows("SELECT account_id, state FROM orders WHERE role = 'ENTRY' ORDER BY account_id")


def test_a_strategy_without_an_account_only_shows_its_decision(
    worker_env: WorkerEnv,
) -> None:
    insert_falling_bars(worker_env)

    assert [None] == evaluate_due_accounts(worker_env)
    ((account_id, decision, reason, has_signal),) = worker_env.rows(RUNS)
    assert (None, "BUY", False) == (account_id, decision, has_signal)
    assert "not traded: no account trades it" in reason
    assert "tickwork strategies on" in reason
    assert [] == list_entries(worker_env)


def test_a_strategy_trades_each_account_it_is_switched_on_for_and_has_one_run_of_each(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    first, second = accounts_of(worker_env)
    for account_id in (first, second):
        assert 0 == operator("strategies", "on", "mean_reversion", str(account_id)).status
    closed_until = insert_falling_bars(worker_env)

    assert [first, second] == evaluate_due_accounts(worker_env)
    assert [(first, "BUY", True), (second, "BUY", True)] == [(row[0], row[1], row[3]) for row in worker_env.rows(RUNS)]
    assert [(first, "FILLED"), (second, "FILLED")] == list_entries(worker_env)
    assert "evaluated before" == evaluate(worker_env, first, closed_until)["reason"]
    assert 2 == len(list_entries(worker_env))


def test_complaint_7_a_strategy_sees_closed_bars_only(worker_env: WorkerEnv, operator: RunCommand) -> None:
    """An open bar is not evaluated, even if a minute of it is stored or its evaluation is requested too early."""
    first, _ = accounts_of(worker_env)
    operator("strategies", "on", "mean_reversion", str(first))
    closed_until = insert_falling_bars(worker_env)
    worker_env.execute(
        "INSERT INTO bar_minute (contract_id, start, open_ticks, high_ticks, low_ticks, close_ticks, volume) "
        f"SELECT contract_id, '{closed_until.isoformat()}', close_ticks, close_ticks + 900, close_ticks, "
        f"close_ticks + 900, 10 FROM bar_minute WHERE contract_id = '{MNQ}' ORDER BY start DESC LIMIT 1"
    )
    worker_env.forget_recent_bars()

    too_early = evaluate(worker_env, first, closed_until + timedelta(minutes=1))
    assert ("none", "nothing was traded in the bar") == (too_early["decision"], too_early["reason"])
    on_time = evaluate(worker_env, first, closed_until)
    assert "BUY" == on_time["decision"], "a rise after the bar's end is not seen"
    assert "RSI 0.0" in on_time["reason"]


def test_no_strategy_decides_on_a_bar_of_which_the_venue_has_sent_what_cannot_be_a_minute(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    first, _ = accounts_of(worker_env)
    operator("strategies", "on", "mean_reversion", str(first))
    closed_until = insert_falling_bars(worker_env)
    worker_env.execute(
        "INSERT INTO rejected_bar (contract_id, record, start, reason)"
        f" VALUES ('{MNQ}', '', '{(closed_until - timedelta(minutes=2)).isoformat()}', '')"
    )

    assert "1 minute of its bars is missing" in evaluate(worker_env, first, closed_until)["reason"]
    assert [(1,)] == worker_env.rows("SELECT bars_gap_minutes FROM strategy_run")
    assert [] == list_entries(worker_env)


def test_a_halted_account_stops_a_strategy_on_no_other(worker_env: WorkerEnv, operator: RunCommand) -> None:
    first, second = accounts_of(worker_env)
    for account_id in (first, second):
        operator("strategies", "on", "mean_reversion", str(account_id))
    operator("halt", "by hand", "--account", str(first))
    closed_until = insert_falling_bars(worker_env)

    assert "is halted: by hand" in evaluate(worker_env, first, closed_until)["reason"]
    assert "not traded" not in evaluate(worker_env, second, closed_until)["reason"]
    assert [(first, "DENIED"), (second, "FILLED")] == list_entries(worker_env)


def test_switching_a_strategy_off_also_stops_an_evaluation_that_waits(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    first, second = accounts_of(worker_env)
    for account_id in (first, second):
        operator("strategies", "on", "mean_reversion", str(account_id))
    closed_until = insert_falling_bars(worker_env)
    answer = operator("strategies", "off", "mean_reversion", str(first))

    assert f"mean_reversion trades account {second} (" in answer.out
    reason = evaluate(worker_env, first, closed_until)["reason"]
    assert f"not traded: account {first} trades mean_reversion no longer" in reason
    assert [] == list_entries(worker_env)


def test_the_only_account_trades_nothing_until_it_is_switched_on(worker_env: WorkerEnv, operator: RunCommand) -> None:
    first, second = accounts_of(worker_env)
    worker_env.execute(f"UPDATE account SET can_trade = false WHERE id = {second}")
    rows = {row["account_id"]: row for row in operator("strategies", "--json").json["strategies"]}
    assert (False, "not switched on") == (rows[first]["trades"], rows[first]["why"])
    assert (False, "the venue lets it trade nothing") == (rows[second]["trades"], rows[second]["why"])

    operator("strategies", "on", "mean_reversion", str(first))
    rows = {row["account_id"]: row for row in operator("strategies", "--json").json["strategies"]}
    assert (True, "switched on by hand") == (rows[first]["trades"], rows[first]["why"])
    answer = operator("strategies", "off", "mean_reversion", str(first), "--json").json
    assert {"strategy": "mean_reversion", "trading_account_ids": []} == answer
    rows = {row["account_id"]: row for row in operator("strategies", "--json").json["strategies"]}
    assert (False, "switched off by hand") == (rows[first]["trades"], rows[first]["why"])
    assert "no account trades it" in rows[None]["why"]
    (event,) = operator("accounts", "show", str(first), "--json").json["events"][:1]
    assert ("strategy_off", "mean_reversion, by hand") == (event["kind"], event["message"])


def test_the_list_shows_the_last_decision_for_each_account(worker_env: WorkerEnv, operator: RunCommand) -> None:
    first, _ = accounts_of(worker_env)
    operator("strategies", "on", "mean_reversion", str(first))
    evaluate(worker_env, first, insert_falling_bars(worker_env))
    (row,) = (one for one in operator("strategies", "--json").json["strategies"] if one["account_id"] == first)

    assert (MNQ, "BUY") == (row["contract_id"], row["decision"])
    assert "RSI" in row["reason"]
    assert "switched on by hand" in operator("strategies").words


def test_an_unknown_strategy_and_an_account_that_may_not_trade_are_reported(
    worker_env: WorkerEnv, operator: RunCommand
) -> None:
    first, second = accounts_of(worker_env)
    unknown = operator("strategies", "on", "mean", str(first))
    assert 0 != unknown.status
    assert "unknown strategy 'mean': expected one of mean_reversion" in unknown.error
    assert "account 7 is unknown" in operator("strategies", "on", "mean_reversion", "7").error

    worker_env.execute(f"UPDATE account SET can_trade = false WHERE id = {second}")
    answer = operator("strategies", "on", "mean_reversion", str(second))
    assert f"Account {second} may not trade at the venue; mean_reversion begins when it may." in answer.words


def test_a_strategy_is_shown_with_its_parameters_and_what_they_take(operator: RunCommand) -> None:
    shown = operator("strategies", "show", "mean_reversion")
    assert "LONG if RSI < oversold" in shown.words
    assert "rsi_length 14 a whole number from 2 to 200 bars of the RSI" in shown.words
    assert "target average one of average, ranges" in shown.words
    assert "only backtested" not in shown.words
    assert "It is not traded yet, only backtested." in operator("strategies", "show", "trend_following").words
    unknown = operator("strategies", "show", "luck")
    assert "unknown strategy 'luck': expected one of mean_reversion, overnight_breakout" in unknown.error


def test_the_metrics_name_the_tier_that_bars_were_read_from(worker_env: WorkerEnv, operator: RunCommand) -> None:
    first, second = accounts_of(worker_env)
    closed_until = insert_falling_bars(worker_env)
    for account_id in (None, first, second):
        evaluate(worker_env, account_id, closed_until)
    rows = operator("metrics", "--json").json["bars"]
    found = [(row["source"], row["count"], row["miss_count"]) for row in rows]

    assert found in (
        [("memory", 1, 2), ("redis", 1, 1), ("postgres", 1, 0)],
        [("memory", 2, 1), ("redis", 0, 1), ("postgres", 1, 0)],
    )
    assert "Bars that strategies read" in operator("metrics").out


def test_a_strategy_waits_for_the_second_answer_that_minutes_had_no_trade(worker_env: WorkerEnv) -> None:
    """The first trade after a quiet hour may fall in the last minute of its bar."""
    closed_until = insert_falling_bars(worker_env)
    hole = f"tstzmultirange(tstzrange('{closed_until - 4 * FIVE_MINUTES}', '{closed_until - 3 * FIVE_MINUTES}'))"
    worker_env.execute(f"UPDATE contract SET coverage = coverage - {hole}, unconfirmed = {hole}")
    job_id = worker_env.enqueue(
        EvaluateStrategy(strategy="mean_reversion", contract_id=MNQ, closed_until=closed_until, account_id=None)
    )
    worker_env.runner.run(job_id)
    assert ("queued", True) == (worker_env.job(job_id)[0], "had no trade" in str(worker_env.job(job_id)[2]))

    worker_env.execute(f"UPDATE contract SET coverage = coverage + {hole}, unconfirmed = '{{}}'")
    worker_env.run_due_jobs()
    assert ("succeeded", "BUY") == (worker_env.job(job_id)[0], worker_env.job(job_id)[1]["decision"])


def test_a_strategy_does_not_decide_on_bars_of_which_minutes_are_missing(worker_env: WorkerEnv) -> None:
    closed_until = insert_falling_bars(worker_env)
    hole = closed_until - 4 * FIVE_MINUTES
    worker_env.execute(
        f"UPDATE contract SET coverage = coverage - tstzmultirange(tstzrange('{hole}', '{hole + FIVE_MINUTES}'))"
    )

    found = evaluate(worker_env, None, closed_until)
    assert ("none", "5 minutes of its bars are missing") == (found["decision"], found["reason"])
