"""A market entry sized by risk closes what is held against it, also where its size cannot be measured."""

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from shared.domain.alerts.hook_settings import HookSettings, SizeMode
from shared.hot.quotes import quote_key
from tests.fixtures.alert_steps import average, hold, last_signal, result_of, run_next, run_until
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

PLANS = "SELECT quantity_closing, quantity_opening FROM entry_reversal"


def add_hook_by_risk(worker_env: WorkerEnv, dollars: int) -> UUID:
    hook_id = worker_env.add_hook(HookSettings(size=SizeMode.RISK, size_value=Decimal(dollars)))
    worker_env.execute(f"UPDATE hook SET name = 'risky' WHERE id = '{hook_id}'")
    return hook_id


@pytest.mark.parametrize(
    ("dollars", "stop"),
    [(450, {}), (450, {"stop_loss": 1}), (10, {"stop_loss_ticks": 400})],
    ids=["no stop", "a stop below the market", "less than one contract"],
)
def test_what_cannot_be_sized_closes_all_that_is_held_against_it(
    worker_env: WorkerEnv, operator: RunCommand, dollars: int, stop: dict[str, Any]
) -> None:
    hold(worker_env, 2)
    hook_id = add_hook_by_risk(worker_env, dollars)
    body = json.dumps({"action": "sell", "symbol": "MNQ", "quantity": 1} | stop)
    (told,) = operator("alerts", "mock", "--hook", "risky", "--json", body).json["accounts"]
    assert f"closes {MNQ}" == told["detail"]
    job_id = worker_env.entry_alert(hook_id, action="sell", has_stop=False, **stop)
    run_until(worker_env, 0)

    assert [(2, 0)] == worker_env.rows(PLANS)
    assert ("CLOSE", "accepted", f"2 of {MNQ} closed, and nothing to open") == last_signal(worker_env)
    assert result_of(worker_env, job_id).startswith("succeeded")


def test_what_cannot_be_sized_opens_nothing_and_is_denied_while_nothing_is_held_against_it(
    worker_env: WorkerEnv,
) -> None:
    hold(worker_env, 1)
    job_id = worker_env.entry_alert(add_hook_by_risk(worker_env, 450), has_stop=False)
    run_until(worker_env, 1)

    assert "the entry has no stop" in result_of(worker_env, job_id)
    assert [] == worker_env.rows(PLANS)


def test_an_exit_sized_by_risk_waits_at_most_15_s_for_a_quote(worker_env: WorkerEnv) -> None:
    hold(worker_env, 2)
    job_id = worker_env.entry_alert(
        add_hook_by_risk(worker_env, 450), action="sell", has_stop=False, stop_loss=50000, quantity=1
    )
    run_without_quote(worker_env, job_id)
    assert [] == worker_env.rows(PLANS)
    worker_env.execute(f"UPDATE job SET enqueued_at = now() - interval '16 s' WHERE id = '{job_id}'")
    run_without_quote(worker_env, job_id)

    assert [(2, 0)] == worker_env.rows(PLANS)


def test_an_exit_that_was_requested_is_not_measured_again(worker_env: WorkerEnv) -> None:
    hold(worker_env, 1)
    worker_env.venue.faults(path="/api/Order/place", kind="reject", error_code=2, message="no")
    stop = average(worker_env) + 100
    job_id = worker_env.entry_alert(
        add_hook_by_risk(worker_env, 450), action="sell", has_stop=False, stop_loss=str(stop)
    )
    run_next(worker_env, job_id)
    ((reduction,),) = worker_env.rows("SELECT id FROM job WHERE name = 'orders.reduce_position'")
    run_next(worker_env, reduction)
    run_without_quote(worker_env, job_id)

    assert "is closed again" in result_of(worker_env, job_id)


def run_without_quote(worker_env: WorkerEnv, job_id: UUID) -> None:
    worker_env.execute(f"UPDATE job SET run_at = now() WHERE id = '{job_id}'")
    worker_env.redis.delete(quote_key(MNQ))
    worker_env.runner.run(job_id)
