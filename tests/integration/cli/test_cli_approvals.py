"""`tickwork approvals` and `accounts approval`: the list, the decisions, their audit, and mistakes."""

from uuid import uuid4

import pytest

from tests.fixtures.alert_steps import last_signal
from tests.fixtures.approvals import approve, ask
from tests.fixtures.operator import RunCommand
from tests.fixtures.worker_env import WorkerEnv


@pytest.fixture
def waiting_env(worker_env: WorkerEnv, operator: RunCommand) -> WorkerEnv:
    """A worker whose account asks for approval."""
    assert 0 == operator("accounts", "approval", "20001", "on", "--reason", "a week of trial").status
    return worker_env


def test_every_view_shows_that_entries_of_an_account_wait(operator: RunCommand, waiting_env: WorkerEnv) -> None:
    assert "No entry waits for approval." in operator("approvals").out
    assert "approval on" in operator("accounts", "show", "20001").words
    (row,) = operator("accounts", "--json").json["accounts"]
    assert ("simulator", True) == (row["live_orders"], row["is_approval_required"])
    assert "entries are allowed; those of alerts and strategies wait for approval" in operator("risk").words
    assert "is in APPROVAL mode: `tickwork approvals` lists the entries" in operator("orders").words
    body = '{"action": "buy", "symbol": "MNQ", "quantity": 1, "stop_loss_ticks": 400}'
    assert "trades: BUY 1 MNQ H26, once it is approved" in operator("alerts", "mock", body).words
    off = operator("accounts", "approval", "20001", "off", "--json").json
    assert (False, [(False,)]) == (
        off["is_approval_required"],
        waiting_env.rows("SELECT is_approval_required FROM account"),
    )
    assert ["approval_off", "approval_on"] == [
        act["act"] for act in operator("accounts", "audit", "20001", "--json").json["acts"]
    ]


def test_the_list_shows_what_waits_with_its_terms_and_source(operator: RunCommand, waiting_env: WorkerEnv) -> None:
    approval_id = ask(waiting_env, quantity=2, limit_price=20000, take_profit_ticks=800)
    (row,) = operator("approvals", "--json").json["approvals"]

    assert (str(approval_id), "BUY", 2, "20000", 400, 800, "WAITING") == tuple(
        row[name] for name in ("id", "side", "quantity", "limit_price", "stop_loss_ticks", "take_profit_ticks", "state")
    )
    text = operator("approvals").words
    for shown in (str(approval_id)[-8:], "LIMIT 20000.00 400 ticks 800 ticks hook hook", "WAITING"):
        assert shown in text


def test_an_alert_that_is_replayed_does_not_wait_for_the_person(operator: RunCommand, waiting_env: WorkerEnv) -> None:
    ask(waiting_env)
    ((alert_id,),) = waiting_env.rows("SELECT id FROM alert")
    result = operator("alerts", "replay", str(alert_id), "--yes", "--wait", "600")

    assert (0, True) == (result.status, "waits for approval until" in result.out), result


def test_a_rejected_entry_is_never_made_and_its_reason_is_kept(operator: RunCommand, waiting_env: WorkerEnv) -> None:
    approval_id = ask(waiting_env)
    short = str(approval_id)[-8:]
    result = operator("approvals", "reject", short, "before", "the", "news")

    assert "Rejected: BUY 1 MNQ H26 of account 20001 is not entered." in result.out
    action, verdict, reason = last_signal(waiting_env)
    assert ("BUY", "denied", True) == (action, verdict, reason.endswith(": before the news"))
    assert "before the news" in operator("alerts", "list").words
    (row,) = operator("approvals", "--all", "--json").json["approvals"]
    assert ("REJECTED", "before the news") == (row["state"], row["decision_reason"])
    for decision in ("approve", "reject"):
        late = operator("approvals", decision, short)
        assert (1, True) == (late.status, f"approval {approval_id} was rejected by " in late.error)
    assert [] == waiting_env.rows("SELECT id FROM orders")


def test_decisions_are_audited(operator: RunCommand, waiting_env: WorkerEnv) -> None:
    approved, rejected = ask(waiting_env), ask(waiting_env)
    approve(waiting_env, operator, approved)
    operator("approvals", "reject", str(rejected), "enough")
    acts = operator("accounts", "audit", "20001", "--json").json["acts"]

    assert [("entry_rejected", str(rejected), "enough"), ("entry_approved", str(approved), None)] == [
        (act["act"], act["after"]["approval"], act["reason"]) for act in acts[:2]
    ]
    assert ("WAITING", "APPROVED") == (acts[1]["before"]["state"], acts[1]["after"]["state"])
    assert ("approval_on", "a week of trial") == (acts[2]["act"], acts[2]["reason"])


@pytest.mark.usefixtures("waiting_env")
def test_an_unknown_id_and_a_misspelt_one_say_where_ids_are_listed(operator: RunCommand) -> None:
    unknown = operator("approvals", "approve", str(uuid4()))
    assert (1, True) == (unknown.status, "no approval id begins or ends with" in unknown.error)
    wrong = operator("approvals", "reject", "xyz")
    assert "invalid approval id 'xyz': expected an id" in wrong.error
    assert "`tickwork approvals --all` lists the ids" in wrong.error
