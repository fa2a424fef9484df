"""The outcome that `tickwork alerts mock` forecasts for a message is what a worker then makes of it."""

import json
import re
from typing import Any
from uuid import UUID

import pytest

from shared.domain.alerts.hook_settings import HookSettings
from tests.fixtures.alert_steps import OTHER_MONTH, hold, hold_other_month, last_signal
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ, RunningVenue, StartVenue
from tests.fixtures.worker_env import WorkerEnv

BUY = {"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 400}
NO_STOP = {"action": "buy", "symbol": "MNQ", "quantity": 1}
TO_LONG = {"symbol": "MNQ", "market_position": "long", "stop_loss_ticks": 400}
CLOSE = {"action": "close", "symbol": "MNQ"}
STRICT = HookSettings(has_pyramiding=False)


@pytest.fixture
def venue(start_venue: StartVenue) -> RunningVenue:
    """A simulator with a practice account and a Combine."""
    return start_venue(options=("--accounts", "50KTC"))


def mock(operator: RunCommand, worker_env: WorkerEnv, hook_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Return what the command says of the account of the hook; its text says the same."""
    name = f"hook {hook_id}"
    found = operator("alerts", "mock", "--hook", name, "--json", json.dumps(body))
    text = operator("alerts", "mock", "--hook", name, json.dumps(body))
    (account,) = found.json["accounts"]
    assert worker_env.venue.account_id == account["account_id"]
    assert (int(account["is_lost"]), found.status) == (found.status, text.status)
    assert f"{account['outcome'].replace('_', ' ')}: " in text.out
    return dict(account)


def send(worker_env: WorkerEnv, hook_id: UUID, body: dict[str, Any]) -> None:
    worker_env.store_alert(hook_id, body)
    worker_env.run_due_jobs()


@pytest.mark.parametrize(
    ("held", "settings", "body", "reason"),
    [
        (0, HookSettings(max_age_s=5), BUY | {"timenow": "2026-01-01T00:00:00Z"}, "stale: it was sent"),
        (0, HookSettings(), NO_STOP, "the entry has no stop: send stop_loss_ticks"),
        (0, HookSettings(), BUY | {"limit_price": 20_000.1}, "limit_price of"),
        (0, HookSettings(), BUY | {"quantity": 50}, "quantity 50 is not between 1 and 5 an order"),
        (1, STRICT, BUY, "+1 is held or about to be, and hook"),
        (
            1,
            HookSettings(is_agreement_required=True),
            BUY | {"prev_market_position": "flat"},
            "chart and account disagree",
        ),
        (1, STRICT, TO_LONG | {"market_position_size": 2}, "+1 is held or about to be, and hook"),
    ],
    ids=["stale", "no stop", "no tick", "too large", "no pyramiding", "disagreement", "target without pyramiding"],
)
def test_an_entry_that_a_worker_denies_is_denied_before_it_is_sent(
    operator: RunCommand, worker_env: WorkerEnv, *, held: int, settings: HookSettings, body: dict[str, Any], reason: str
) -> None:
    if held:
        hold(worker_env, held)
    hook_id = worker_env.add_hook(settings)

    said = mock(operator, worker_env, hook_id, body)
    send(worker_env, hook_id, body)

    assert ("denied", True) == (said["outcome"], reason in said["detail"])
    _, verdict, recorded = last_signal(worker_env)
    age = re.compile(r"[\d,]+ s before")  # it grows
    assert ("denied", age.sub("", said["detail"])) == (verdict, age.sub("", recorded))
    assert held == worker_env.venue.position(MNQ)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("UPDATE hook SET paused_at = now()", "is paused or removed, and enters nothing"),
        ("UPDATE account SET halted_at = now(), halt_reason = 'a test'", "is halted: a test"),
        ("UPDATE account SET can_trade = false", "may not trade, as the venue reports"),
    ],
    ids=["paused", "halted", "not tradable"],
)
def test_a_pause_or_a_halt_that_denies_an_entry_denies_the_trial(
    operator: RunCommand, worker_env: WorkerEnv, statement: str, reason: str
) -> None:
    hook_id = worker_env.add_hook()
    worker_env.execute(statement)

    said = mock(operator, worker_env, hook_id, BUY)
    send(worker_env, hook_id, BUY)

    assert ("denied", True) == (said["outcome"], reason in said["detail"])
    assert ("denied", said["detail"]) == last_signal(worker_env)[1:]


def test_a_cooldown_denies_the_second_entry(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hook_id = worker_env.add_hook(HookSettings(cooldown_s=9_000))
    assert "trades" == mock(operator, worker_env, hook_id, BUY)["outcome"]
    send(worker_env, hook_id, BUY)

    assert "enters once in 9000 s" in mock(operator, worker_env, hook_id, BUY)["detail"]
    assert "trades" == mock(operator, worker_env, hook_id, CLOSE)["outcome"]


@pytest.mark.parametrize(
    ("held", "body", "outcome", "detail", "left"),
    [
        (0, BUY, "trades", f"BUY 1 {MNQ}", 1),
        (1, BUY | {"prev_market_position": "flat"}, "trades", "warning: chart and account disagree", 2),
        (1, TO_LONG | {"market_position_size": 3}, "trades", f"BUY 2 {MNQ}", 3),
        (3, TO_LONG | {"action": "buy", "market_position_size": 1}, "trades", "closes down to +1", 1),
        (1, TO_LONG | {"market_position_size": 1}, "nothing_to_do", "+1 is held, +1 is wanted", 1),
        (-1, TO_LONG | {"market_position_size": 2}, "trades", f"closes {MNQ}, then BUY 2 {MNQ}", 2),
        (2, CLOSE, "trades", f"CLOSE MNQ: +2 {MNQ} is held", 0),
        (0, CLOSE, "nothing_to_do", "nothing that it means is held", 0),
        (2, CLOSE | {"action": "close_short"}, "nothing_to_do", "nothing that it means is held", 2),
        (0, CLOSE | {"action": "cancel"}, "nothing_to_do", "nothing that it means is held or rests", 0),
        (1, CLOSE | {"action": "breakeven"}, "trades", f"BREAKEVEN MNQ: +1 {MNQ} is held", 1),
    ],
)
def test_what_an_alert_trades_is_said_before_it_is_sent(
    operator: RunCommand,
    worker_env: WorkerEnv,
    *,
    held: int,
    body: dict[str, Any],
    outcome: str,
    detail: str,
    left: int,
) -> None:
    if held:
        hold(worker_env, held)
    hook_id = worker_env.add_hook()

    said = mock(operator, worker_env, hook_id, body)
    send(worker_env, hook_id, body)

    assert (outcome, True) == (said["outcome"], detail in said["detail"]), said
    assert left == worker_env.venue.position(MNQ)


@pytest.mark.parametrize("is_reduce_only", ["false", "true"])
def test_a_reversal_says_that_it_closes_and_why_it_does_not_enter(
    operator: RunCommand, worker_env: WorkerEnv, is_reduce_only: str
) -> None:
    hold(worker_env, -1)
    halt = f"halted_at = now(), halt_reason = 'a test', is_reduce_only = {is_reduce_only}"
    worker_env.execute(f"UPDATE account SET {halt}")
    hook_id, body = worker_env.add_hook(), TO_LONG | {"market_position_size": 1}

    said = mock(operator, worker_env, hook_id, body)
    send(worker_env, hook_id, body)

    assert said["detail"].startswith(f"closes {MNQ}, then the entry is denied: ")
    assert "a test" in said["detail"]
    assert ("denied", 0) == (said["outcome"], worker_env.venue.position(MNQ))


def test_a_stale_reversal_says_what_it_closes(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold(worker_env, -1)
    body = TO_LONG | {"market_position_size": 1, "timenow": "2026-01-01T00:00:00Z"}
    hook_id = worker_env.add_hook()

    said = mock(operator, worker_env, hook_id, body)
    send(worker_env, hook_id, body)

    assert said["detail"].startswith(f"closes {MNQ}, then the entry is denied: stale: it was sent ")
    assert ("denied", 0) == (said["outcome"], worker_env.venue.position(MNQ))


def test_an_entry_of_a_month_that_is_not_active_closes_what_it_reverses(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    hold_other_month(worker_env)
    body = {"symbol": "MNQM6", "market_position": "short", "market_position_size": 1, "stop_loss_ticks": 400}

    said = mock(operator, worker_env, worker_env.add_hook(), body)

    assert ("denied", True) == (said["outcome"], said["detail"].startswith(f"closes {OTHER_MONTH}, then the entry is "))


def test_an_entry_without_a_quote_or_in_a_closed_market_is_said_to_wait_or_expire(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    hook_id = worker_env.add_hook()
    worker_env.execute("UPDATE account SET reconciled_at = NULL")
    waits = mock(operator, worker_env, hook_id, BUY)
    worker_env.execute("UPDATE market_clock SET market_origin_at = '2026-03-07 12:00:00+00', machine_origin_at = now()")
    expires = mock(operator, worker_env, hook_id, BUY)

    assert ("waits", True) == (waits["outcome"], "is not reconciled with the venue" in waits["detail"])
    assert ("expires", True) == (
        expires["outcome"],
        "entries are possible from 2026-03-08 22:00 UTC" in expires["detail"],
    )


def test_each_account_of_a_hook_has_an_outcome_of_its_own(operator: RunCommand, worker_env: WorkerEnv) -> None:
    first, second = [row[0] for row in worker_env.rows("SELECT id FROM account ORDER BY id")]
    hook_id = worker_env.add_hook(None, second)
    worker_env.execute(f"UPDATE account SET halted_at = now(), halt_reason = 'a test' WHERE id = {second}")

    result = operator("alerts", "mock", "--hook", f"hook {hook_id}", json.dumps(BUY))

    assert 1 == result.status
    assert f"account {first}" in result.out
    assert "is halted: a test" in result.out
    assert "Readable, but not traded on every account. Nothing was sent." in result.out
