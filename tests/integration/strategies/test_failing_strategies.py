"""Strategies that raise, decide nonsense or cannot be made, on a real database: each is named and stops nothing."""

import pytest

from shared.domain.strategies.decision import Exit
from strategies.mean_reversion import MeanReversion
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv
from tests.integration.strategies.test_strategies import (
    accounts_of,
    evaluate,
    evaluate_due_accounts,
    insert_falling_bars,
)
from workers.strategies import request_evaluations


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


def test_what_a_strategy_raises_is_the_reason_of_its_run_with_the_line(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a test")

    monkeypatch.setattr(MeanReversion, "decide", fail)
    found = evaluate(worker_env, None, insert_falling_bars(worker_env))

    assert "none" == found["decision"]
    assert found["reason"].startswith("it failed in line ")
    assert found["reason"].endswith("test_failing_strategies.py: ZeroDivisionError: a test")


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (True, "it returned True, which is no decision"),
        (Exit(reason="a test"), "a test; not traded: Exit is only backtested yet"),
    ],
)
def test_what_is_no_decision_or_is_not_traded_yet_is_named(
    worker_env: WorkerEnv, operator: RunCommand, monkeypatch: pytest.MonkeyPatch, returned: object, reason: str
) -> None:
    first, _ = accounts_of(worker_env)
    operator("strategies", "on", "mean_reversion", str(first))
    monkeypatch.setattr(MeanReversion, "decide", lambda *_: returned)
    found = evaluate(worker_env, first, insert_falling_bars(worker_env))

    assert {"decision": "none", "reason": reason} == found


def test_a_strategy_with_a_wrong_default_keeps_no_bar_from_being_stored(
    worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_evaluations, "TRADED", ("breakuot", "mean_reversion"))
    insert_falling_bars(worker_env)

    assert [None] == evaluate_due_accounts(worker_env)
