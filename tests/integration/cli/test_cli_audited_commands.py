"""Every command that changes positions, orders, hooks, tokens or strategies is audited, without any secret."""

import os
import pwd
from typing import Any

import psycopg
import pytest

from tests.fixtures.alert_steps import hold
from tests.fixtures.operator import RunCommand, worker_at
from tests.fixtures.worker_env import WorkerEnv

USER = pwd.getpwuid(os.getuid()).pw_name
STOP = "SELECT id::text FROM orders WHERE role = 'STOP_LOSS' AND state = 'WORKING'"


@pytest.fixture(autouse=True)
def receiver_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TICKWORK_RECEIVER_URL", "http://127.0.0.1:1")


def list_acts(operator: RunCommand, *account: str) -> list[dict[str, Any]]:
    """Return the audit, oldest first."""
    acts: list[dict[str, Any]] = operator("accounts", "audit", *account, "--json").json["acts"]
    return acts[::-1]


def shorten(act: dict[str, Any]) -> tuple[str, int | None, dict[str, Any], dict[str, Any]]:
    return act["act"], act["account_id"], act["before"], act["after"]


def test_acts_on_positions_and_orders_are_audited(operator: RunCommand, worker_env: WorkerEnv) -> None:
    hold(worker_env, 3)
    worker_env.entry_alert(limit_price=20000)
    worker_env.run_due_jobs()
    ((stop_id,),) = worker_env.rows(STOP)
    ((entry_id,),) = worker_env.rows("SELECT id::text FROM orders WHERE role = 'ENTRY' AND state = 'WORKING'")
    ((before,),) = worker_env.rows("SELECT stop_price::text FROM orders WHERE id = %s", stop_id)
    after = str(float(before) - 1)
    with worker_at(worker_env):
        for command in (
            ("positions", "trail", "MNQ", "900"),
            ("positions", "trail", "MNQ", "none"),
            ("orders", "modify", stop_id, "--stop", after),
            ("orders", "cancel", entry_id),
            ("positions", "close", "MNQ", "1", "--dry-run"),
            ("positions", "close", "MNQ", "1"),
            ("flatten", "--yes", "--reason", "going home"),
        ):
            result = operator(*command)
            assert 0 == result.status, result

    acts = list_acts(operator)
    trail, untrail, modify, cancel, close, flatten = map(shorten, acts)
    contract = "CON.F.US.MNQ.H26"
    assert ("trail", 20001, {"trail_ticks": None}, {"contract": contract, "trail_ticks": 900}) == trail
    assert ("trail", 20001, {"trail_ticks": 900}, {"contract": contract, "trail_ticks": None}) == untrail
    assert ("modify_order", 20001, {"stop_price": before}, {"order_id": stop_id, "stop_price": after}) == modify
    assert ("cancel_order", 20001, {}, {"order_id": entry_id}) == cancel
    assert ("close_part", 20001, {}, {"contract": contract, "quantity": 1}) == close
    assert ("flatten", 20001, {}, {"contract": "everything"}) == flatten
    assert "going home" == acts[-1]["reason"]
    assert {USER} == {act["who"] for act in acts}


def test_acts_on_hooks_and_strategies_are_audited_without_a_secret(operator: RunCommand, worker_env: WorkerEnv) -> None:
    added = operator("hooks", "add", "chart", "--json").json
    for command in (
        ("hooks", "set", "chart", "--cooldown", "5"),
        ("hooks", "pause", "chart"),
        ("hooks", "resume", "chart"),
        ("strategies", "on", "mean_reversion", "20001"),
        ("strategies", "off", "mean_reversion", "20001"),
    ):
        result = operator(*command)
        assert 0 == result.status, result
    rotated = operator("hooks", "rotate", "chart", "--json").json
    signed = operator("hooks", "secret", "add", "chart", "--scheme", "standard-webhooks", "--json").json
    assert 0 == operator("hooks", "secret", "remove", "chart", signed["id"]).status
    assert 0 == operator("hooks", "remove", "chart", "--yes").status

    acts = list_acts(operator, "20001")
    assert [
        "hook_add", "hook_set", "hook_pause", "hook_resume", "strategy_on", "strategy_off", "hook_rotate",
        "hook_secret_add", "hook_secret_remove", "hook_remove",
    ] == [act["act"] for act in acts]  # fmt: skip
    before: dict[str, Any] = {"settings": {}, "copy_ratios": {}}
    assert (before, before | {"hook": "chart", "settings": {"cooldown_s": 5}}) == shorten(acts[1])[2:]
    stored = str(worker_env.rows("SELECT audit::text FROM audit"))
    for url in (added["url"], rotated["url"]):
        assert url.rpartition("/")[2] not in stored
    assert signed["secret"].removeprefix("whsec_") not in stored


def test_acts_on_api_tokens_are_of_no_account(operator: RunCommand, worker_env: WorkerEnv) -> None:
    token = operator("tokens", "add", "nightly", "--job", "market_data.*", "--json").json["token"]
    assert 0 == operator("tokens", "revoke", "nightly").status
    operator("halt", "lunch")

    add, revoke, halt = list_acts(operator)
    assert [("token_add", None, "nightly"), ("token_revoke", None, "nightly")] == [
        (act["act"], act["account_id"], act["after"]["name"]) for act in (add, revoke)
    ]
    assert "token_revoke" in operator("accounts", "audit").words
    assert [halt] == list_acts(operator, "20001")
    assert token not in str(worker_env.rows("SELECT audit::text FROM audit"))


def test_a_cancel_does_not_wait_for_the_account_to_be_audited(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.entry_alert(limit_price=20000)
    worker_env.run_due_jobs()
    with psycopg.connect(worker_env.settings.require_database(), application_name="psql") as session:
        session.execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", [worker_env.venue.account_id])
        operator("orders", "cancel", "--all", "--yes", "--wait", "0.1")

        assert [("cancel_order",)] == worker_env.rows("SELECT act FROM audit")
        assert [("CANCEL",)] == worker_env.rows("SELECT kind FROM order_change")
