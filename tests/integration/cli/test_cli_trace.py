"""`tickwork trace`: the way of an alert, an order or a job, found by any of its ids, with the verdict's figures."""

import re
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from shared.ids import new_id
from tests.fixtures.alert_steps import run_until
from tests.fixtures.operator import RunCommand
from tests.fixtures.venue import MNQ
from tests.fixtures.worker_env import WorkerEnv

WAY = ["alert_received", "verdict_accepted", "order_submitted", "order_acknowledged", "fill", "stop_proven"]


def trace(operator: RunCommand, traced_id: object, *options: str) -> dict[str, Any]:
    result = operator("trace", str(traced_id), "--json", *options)
    assert 0 == result.status, result
    found: dict[str, Any] = result.json
    return found


@pytest.fixture
def filled(worker_env: WorkerEnv) -> WorkerEnv:
    """An alert of two contracts that is filled and guarded."""
    worker_env.entry_alert(quantity=2)
    run_until(worker_env, 2)
    return worker_env


def test_a_trace_shows_each_step_with_its_time_and_the_gap_before(operator: RunCommand, filled: WorkerEnv) -> None:
    steps = trace(operator, filled.rows("SELECT id FROM alert")[0][0])["steps"]

    kinds = [one["kind"] for one in steps]
    assert WAY == [kind for kind in kinds if kind in WAY]
    assert [one["at"] for one in steps] == sorted(one["at"] for one in steps)
    assert steps[0]["gap_ms"] is None
    assert all(one["gap_ms"] >= 0 for one in steps[1:])
    (entry,) = [one for one in steps if one["kind"] == "verdict_accepted"]
    assert entry["account"] == filled.rows("SELECT name FROM account")[0][0]
    assert (0, "400.00") == (entry["figures"]["held"], entry["figures"]["stop_risk"])  # 2 x 400 ticks of 0.50
    assert {"max_loss_limit"} <= set(entry["figures"]["left_after_stops"])
    (fill,) = [one for one in steps if one["kind"] == "fill"]
    assert re.match(r"BUY 2 at \d+\.\d\d \(entry", fill["text"])
    (stop,) = [one for one in steps if one["kind"] == "order_created" and one["text"].startswith("stop loss")]
    assert re.search(r" stop at \d+\.\d\d$", stop["text"])


def test_what_a_step_says_can_be_read_field_by_field(operator: RunCommand, filled: WorkerEnv) -> None:
    ((order_id, venue_order_id, venue_fill_id, price, at),) = filled.rows(
        "SELECT orders.id, orders.venue_order_id, venue_fill_id, fill.price, filled_market_at"
        " FROM orders JOIN fill ON order_id = orders.id WHERE role = 'ENTRY'"
    )
    details = {one["kind"]: one["details"] for one in reversed(trace(operator, order_id, "--jobs")["steps"])}

    order = {"order_id": str(order_id), "venue_order_id": venue_order_id, "role": "ENTRY", "side": "BUY",
             "quantity": 2, "contract_id": MNQ, "order_type": "MARKET"}  # fmt: skip
    assert order == details["order_submitted"]
    fill = dict(details["fill"])
    assert at == datetime.fromisoformat(fill.pop("filled_market_at"))
    assert price == Decimal(fill.pop("price"))
    assert order | {"venue_fill_id": venue_fill_id} == fill
    assert {"action": "BUY", "quantity": 2, "contract_id": MNQ} == details["verdict_accepted"]
    assert {"job": "alerts.handle_alert", "queue": "high"} == details["job_enqueued"]


def test_the_venue_s_time_of_a_fill_is_named_market_time_unless_the_market_keeps_ours(
    operator: RunCommand, filled: WorkerEnv
) -> None:
    fill_id = filled.rows("SELECT venue_fill_id FROM fill")[0][0]
    assert re.search(
        r"at the venue \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} market time\)", operator("trace", str(fill_id)).words
    )

    filled.execute("UPDATE market_clock SET market_origin_at = machine_origin_at, speed = 1")
    assert re.search(r"at the venue \d\d:\d\d:\d\d\.\d{3}\)", operator("trace", str(fill_id)).words)


def test_the_job_that_applied_a_fill_shows_the_way_of_its_order(operator: RunCommand, filled: WorkerEnv) -> None:
    reports = """
        INSERT INTO job (id, name, queue, arguments, max_attempts, correlation_id, sequence_id, state)
        SELECT gen_random_uuid(), 'orders.apply_execution_reports', 'critical', jsonb_build_object(
            'account_id', max(orders.account_id), 'accounts', '[]'::jsonb, 'orders', '[]'::jsonb,
            'fills', jsonb_agg(jsonb_build_object('id', venue_fill_id, 'orderId', orders.venue_order_id))),
            1, gen_random_uuid(), gen_random_uuid(), 'succeeded'
        FROM orders JOIN fill ON order_id = orders.id RETURNING id
    """
    job_id = filled.rows(reports)[0][0]
    whole = trace(operator, filled.rows("SELECT id FROM alert")[0][0])

    found = trace(operator, job_id)
    assert ("job", str(job_id), whole["steps"]) == (found["kind"], found["id"], found["steps"])
    filled.execute("UPDATE fill SET order_id = NULL; UPDATE orders SET venue_order_id = NULL")
    assert f"`tickwork jobs show {job_id}` shows its result" in operator("trace", str(job_id)).words


def test_any_id_of_a_cause_finds_the_same_trace(operator: RunCommand, filled: WorkerEnv) -> None:
    whole = trace(operator, filled.rows("SELECT id FROM alert")[0][0])
    ids = filled.rows("""
        SELECT id::text FROM job WHERE correlation_id IN (SELECT job_id FROM alert)
        UNION SELECT id::text FROM signal UNION SELECT id::text FROM orders
        UNION SELECT correlation_id::text FROM orders
        UNION SELECT right(id::text, 8) FROM alert UNION SELECT left(id::text, 18) FROM orders WHERE role = 'ENTRY'
        UNION SELECT venue_fill_id::text FROM fill
        UNION SELECT venue_order_id::text FROM orders WHERE role = 'STOP_LOSS'
    """)

    assert len(ids) > len(WAY)
    assert [whole["steps"]] * len(ids) == [trace(operator, one)["steps"] for (one,) in ids]


def test_an_older_trace_is_whole_without_its_jobs(operator: RunCommand, filled: WorkerEnv) -> None:
    order_id = filled.rows("SELECT id FROM orders WHERE role = 'ENTRY'")[0][0]
    before = trace(operator, order_id)
    filled.execute("DELETE FROM job")

    assert before["steps"] == trace(operator, order_id)["steps"]


def test_jobs_are_shown_when_asked_for(operator: RunCommand, filled: WorkerEnv) -> None:
    order_id = filled.rows("SELECT id FROM orders WHERE role = 'ENTRY'")[0][0]
    steps = trace(operator, order_id, "--jobs")["steps"]

    started = {one["text"] for one in steps if one["kind"] == "job_started"}
    assert {"alerts.handle_alert", "orders.place_order"} <= started
    for earlier, later in pairwise(steps):
        assert earlier["at"] <= later["at"]


def test_a_denied_alert_shows_the_reason_and_the_figures(operator: RunCommand, worker_env: WorkerEnv) -> None:
    worker_env.execute("""UPDATE account SET rule_changes = '{"max_trade_risk": "100"}'""")
    worker_env.entry_alert(quantity=2)
    worker_env.run_due_jobs()
    alert_id = worker_env.rows("SELECT id FROM alert")[0][0]
    (denied,) = [one for one in trace(operator, alert_id)["steps"] if one["kind"] == "verdict_denied"]
    text = operator("trace", str(alert_id)).words

    assert "400.00" == denied["figures"]["stop_risk"]
    assert "max_trade_risk" in denied["text"]
    assert "stop risk 400.00" in text
    assert re.search(r"once every open stop is hit [\d.]+ is left to the max loss limit", text)


def test_the_table_fits_and_tells_how_long_it_took(operator: RunCommand, filled: WorkerEnv) -> None:
    text = operator("trace", str(filled.rows("SELECT id FROM alert")[0][0])).words

    assert "order acknowledged" in text
    assert "Since the first step: sent after" in text
    assert "with a proven stop after" in text


def test_a_trace_of_a_close_shows_its_flatten(operator: RunCommand, filled: WorkerEnv) -> None:
    filled.critical_alert()
    run_until(filled, 0)
    newest = filled.rows("SELECT id FROM alert ORDER BY id DESC LIMIT 1")[0][0]

    steps = trace(operator, newest)["steps"]
    assert {"flatten_requested", "flat"} <= {one["kind"] for one in steps}
    assert any(one["text"].startswith("SELL 2 at") for one in steps if one["kind"] == "fill")
    filled.execute("DELETE FROM job")
    assert steps == trace(operator, newest)["steps"]


def test_a_changed_price_is_shown_with_the_change_and_not_as_that_of_the_start(
    operator: RunCommand, worker_env: WorkerEnv
) -> None:
    worker_env.entry_alert(limit_price=20000)
    worker_env.run_due_jobs()
    order_id = worker_env.rows("SELECT id FROM orders WHERE role = 'ENTRY'")[0][0]
    assert f"entry BUY 1 {MNQ} limit at 20000.00" in [one["text"] for one in trace(operator, order_id)["steps"]]
    worker_env.execute(
        "INSERT INTO order_change (id, order_id, kind, limit_price, state, origin, correlation_id, settled_at)"
        " SELECT gen_random_uuid(), id, 'MODIFY', 20050, 'DONE', 'manual', gen_random_uuid(), now()"
        " FROM orders WHERE role = 'ENTRY'"
    )
    worker_env.execute("UPDATE orders SET limit_price = 20050 WHERE role = 'ENTRY'")
    texts = [(one["kind"], one["text"]) for one in trace(operator, order_id)["steps"]]

    assert ("order_created", f"entry BUY 1 {MNQ} limit") in texts
    assert ("change_requested", f"modify entry BUY 1 {MNQ} limit to 20050.00") in texts
    assert "change_done" in dict(texts)
    assert "entry BUY 1 MNQ H26 limit" in operator("trace", str(order_id)).words


def test_steps_of_several_days_have_their_day(operator: RunCommand, filled: WorkerEnv) -> None:
    filled.execute("UPDATE alert SET received_at = received_at - interval '1 day'")
    text = operator("trace", str(filled.rows("SELECT id FROM alert")[0][0])).out

    days = filled.rows(
        "SELECT to_char(received_at, 'MM-DD '), to_char(received_at + interval '1 day', 'MM-DD ') FROM alert"
    )[0]
    assert all(day in text for day in days)


def test_a_close_is_no_accepted_entry_and_a_flat_position_no_proven_stop(
    operator: RunCommand, filled: WorkerEnv
) -> None:
    filled.critical_alert()
    run_until(filled, 0)
    filled.run_due_jobs()
    newest = filled.rows("SELECT id FROM alert ORDER BY id DESC LIMIT 1")[0][0]
    kinds = [one["kind"] for one in trace(operator, newest)["steps"]]

    assert "verdict_accepted" in kinds
    assert "stop_proven" not in kinds


def test_a_refused_alert_has_a_trace_of_its_receipt(operator: RunCommand, filled: WorkerEnv) -> None:
    filled.execute("UPDATE alert SET verdict = 'refused', reason = 'a test', job_id = NULL")
    filled.execute("UPDATE signal SET alert_id = NULL")
    found = trace(operator, filled.rows("SELECT id FROM alert")[0][0])

    assert found["correlation_id"] is None
    assert ["alert_received"] == [one["kind"] for one in found["steps"]]
    assert "refused BUY MNQ (a test)" in found["steps"][0]["text"]


def test_an_id_of_nothing_of_several_or_of_another_program_is_refused(operator: RunCommand, filled: WorkerEnv) -> None:
    unknown = operator("trace", str(new_id()))
    assert 1 == unknown.status
    assert "no alert, job, signal, order or fill has an id" in unknown.error
    assert 2 == operator("trace", "xyz").status
    filled.execute("UPDATE fill SET order_id = NULL")
    elsewhere = operator("trace", str(filled.rows("SELECT venue_fill_id FROM fill")[0][0]))
    assert 1 == elsewhere.status
    assert "was not made here" in elsewhere.error
    filled.entry_alert()
    ambiguous = operator("trace", filled.rows("SELECT left(id::text, 8) FROM job LIMIT 1")[0][0])  # the time alone
    assert 1 == ambiguous.status
    assert "is ambiguous" in ambiguous.error
