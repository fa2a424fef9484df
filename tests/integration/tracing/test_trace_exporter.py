"""The trace exporter: an alert is one trace from its receipt to the proven stop, sent once, by rows that are there."""

import threading
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from shared.clock import machine_now
from shared.db.metrics import spans
from shared.ledger.jobs.orders import ReconcileAccount, ReconcileAccounts
from shared.trace_collector import CollectorError
from tests.fixtures.alert_steps import run_until
from tests.fixtures.processes import until
from tests.fixtures.trace_service import TraceService, export
from tests.fixtures.watched_position import entry_price
from tests.fixtures.worker_env import WorkerEnv
from workers.tracing import exporter


def test_an_alert_is_one_trace_from_its_receipt_to_the_proven_stop(traced: WorkerEnv, service: TraceService) -> None:
    traced.entry_alert(quantity=2)
    run_until(traced, 2)
    assert len(service.spans) < export(traced, service)

    ((cause,),) = traced.rows("SELECT correlation_id FROM orders WHERE role = 'ENTRY'")
    assert {cause.bytes} == {one.trace_id for one in service.spans}
    by_name = {one.name: one for one in service.spans}
    way = ["alert BUY MNQ", "alerts.handle_alert", "order entry BUY", "fill entry BUY", "protect"]
    for parent, child in pairwise(way):
        assert by_name[child].parent_span_id == by_name[parent].span_id, (child, parent)
    place = by_name["POST /api/Order/place"]
    jobs = {one.span_id: one.name for one in service.spans if one.name.count(".") == 1}
    assert place.parent_span_id in jobs
    assert not by_name["alert BUY MNQ"].parent_span_id
    assert all(0 < one.start_time_unix_nano <= one.end_time_unix_nano for one in service.spans)
    attributes = {one.key: one.value for one in by_name["order entry BUY"].attributes}
    assert 2 == attributes["tickwork.quantity"].int_value
    assert {"submitted"} == {one.name for one in by_name["order entry BUY"].events}
    assert "tickwork" == service.resources[0]["service.name"]


def test_what_has_ended_is_sent_once_and_what_ends_later_belongs_to_its_trace(
    traced: WorkerEnv, service: TraceService
) -> None:
    traced.entry_alert()
    run_until(traced, 1)
    export(traced, service)
    seen = len(service.spans)
    assert 0 == export(traced, service)
    traced.venue.close_position()
    traced.runner.run(traced.enqueue(ReconcileAccounts()))
    traced.run_due_jobs()
    export(traced, service)

    assert len({one.span_id for one in service.spans}) == len(service.spans) > seen
    assert "alerts.handle_alert" not in [one.name for one in service.spans[seen:]]


def test_a_denied_entry_and_a_job_that_fails_say_why(traced: WorkerEnv, service: TraceService) -> None:
    traced.entry_alert(quantity=4)
    traced.venue.faults(path="/api/Order/place", kind="reject", count=1, error_code=2, message="No such account.")
    traced.entry_alert()
    traced.run_due_jobs()
    export(traced, service)

    failed = {one.name: one.status.message for one in service.spans if one.status.code == 2}
    assert "No such account." in failed["order entry BUY"]


@pytest.mark.parametrize("exit_", ["close", "stop", "flatten"])
def test_every_span_of_an_exit_has_its_parent(traced: WorkerEnv, service: TraceService, exit_: str) -> None:
    traced.entry_alert(quantity=2, stop_loss_ticks=100)
    run_until(traced, 2)
    if exit_ == "close":
        traced.critical_alert()
    elif exit_ == "flatten":
        traced.flatten()
    else:
        traced.venue.move_price(entry_price(traced) - 110 * Decimal("0.25"))
        traced.run(ReconcileAccount(account_id=traced.venue.account_id))
    run_until(traced, 0)
    export(traced, service)

    assert {"fill exit SELL", "fill stop loss SELL"} & set(service.names())
    known = {one.span_id for one in service.spans}
    assert [] == [one.name for one in service.spans if one.parent_span_id and one.parent_span_id not in known]


def test_no_span_has_the_balance(traced: WorkerEnv, service: TraceService) -> None:
    traced.execute("UPDATE account SET rule_changes = jsonb_build_object('max_quantity', '900')")
    traced.entry_alert(quantity=900)
    traced.run_due_jobs()
    export(traced, service)

    ((reason,),) = traced.rows("SELECT reason FROM signal WHERE verdict = 'denied'")
    assert "equity" in reason
    assert "verdict denied" in service.names()
    assert "equity" not in str(service.spans)


def test_a_strategys_order_that_is_approved_late_brings_its_evaluation_along(
    traced: WorkerEnv, service: TraceService
) -> None:
    job_id = traced.enqueue(ReconcileAccounts())
    traced.execute(f"UPDATE job SET schedule = 'evaluate_strategies' WHERE id = '{job_id}'")
    traced.run_due_jobs()
    assert 0 == export(traced, service)
    traced.entry_alert()
    run_until(traced, 1)
    traced.execute(f"UPDATE orders SET correlation_id = '{job_id}' WHERE role = 'ENTRY'")
    export(traced, service)

    jobs = {one.span_id for one in service.spans if one.name == "accounts.reconcile_accounts"} | {
        one.span_id for one in service.spans if one.name == "orders.reconcile_accounts"
    }
    (order,) = [one for one in service.spans if one.name == "order entry BUY"]
    assert order.parent_span_id in jobs


def test_a_window_that_ends_between_a_job_of_the_schedule_and_its_order_sends_each_span_once(
    traced: WorkerEnv, service: TraceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = traced.enqueue(ReconcileAccounts())
    traced.execute(f"UPDATE job SET schedule = 'evaluate_strategies' WHERE id = '{job_id}'")
    traced.run_due_jobs()
    between = machine_now()
    traced.entry_alert()
    run_until(traced, 1)
    traced.execute(f"UPDATE orders SET correlation_id = '{job_id}' WHERE role = 'ENTRY'")
    with monkeypatch.context() as patched:
        patched.setattr(exporter, "machine_now", lambda: between)
        export(traced, service)
    assert {"orders.reconcile_accounts", "orders.reconcile_account"}.isdisjoint(service.names())
    assert "POST /api/Position/searchOpen" in service.names()
    export(traced, service)

    assert len({one.span_id for one in service.spans}) == len(service.spans)
    assert {"orders.reconcile_accounts", "order entry BUY"} <= set(service.names())


def test_spans_go_out_in_parts_and_what_was_taken_is_not_sent_again(
    traced: WorkerEnv, service: TraceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "_BATCH", 3)
    traced.entry_alert()
    run_until(traced, 1)
    service.takes = 2
    with pytest.raises(CollectorError):
        export(traced, service)
    assert 6 == len(service.spans)
    service.takes = 1_000
    export(traced, service)

    assert len(service.spans) - len({one.span_id for one in service.spans}) <= 3  # those of the last instant


def test_what_a_collector_refuses_for_good_is_dropped_and_told(
    traced: WorkerEnv, service: TraceService, caplog: pytest.LogCaptureFixture
) -> None:
    traced.entry_alert()
    run_until(traced, 1)
    service.status = 413
    assert 0 < export(traced, service)
    assert "refused" in caplog.text
    assert "answered 413" in caplog.text
    service.status = 200
    assert 0 == export(traced, service)


def test_after_the_clock_was_set_back_traces_go_on(
    traced: WorkerEnv, service: TraceService, caplog: pytest.LogCaptureFixture
) -> None:
    traced.execute("UPDATE trace_progress SET exported_until_at = now() + interval '1 hour'")
    export(traced, service)
    traced.entry_alert()
    run_until(traced, 1)
    export(traced, service)

    assert "the clock was set back by 0:59:59" in caplog.text or "the clock was set back by 1:00:00" in caplog.text
    assert "protect" in service.names()


def test_an_endless_answer_is_cut_and_no_proxy_is_asked(
    traced: WorkerEnv, service: TraceService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    service.is_endless = True
    traced.entry_alert()
    run_until(traced, 1)

    assert 0 < export(traced, service)


def test_jobs_of_the_schedule_are_no_traces(traced: WorkerEnv, service: TraceService) -> None:
    job_id = traced.enqueue(ReconcileAccounts())
    traced.execute(f"UPDATE job SET schedule = 'reconcile_accounts' WHERE id = '{job_id}'")
    traced.run_due_jobs()

    assert 0 == export(traced, service)


def test_a_collector_that_is_away_gets_everything_of_the_last_hour_later(
    traced: WorkerEnv, service: TraceService
) -> None:
    traced.entry_alert()
    run_until(traced, 1)
    for status in (503, 404, 302):  # 404: a wrong path
        service.status = status
        with pytest.raises(CollectorError, match=rf"the collector at http://127.0.0.1:\d+/v1/traces answered {status}"):
            export(traced, service)
    service.status = 200
    export(traced, service)
    assert "protect" in service.names()

    traced.execute("UPDATE trace_progress SET exported_until_at = now() - interval '2 hours'")
    export(traced, service)
    ((age,),) = traced.rows("SELECT now() - exported_until_at FROM trace_progress")
    assert age < exporter.KEPT_FOR


def test_a_second_exporter_finds_nothing_to_do_while_the_first_one_sends(
    traced: WorkerEnv, service: TraceService
) -> None:
    traced.entry_alert()
    run_until(traced, 1)
    with traced.ledger.engine.begin() as connection:
        spans.lock_progress(connection)
        assert 0 == export(traced, service)
    assert 0 < export(traced, service)


def test_the_program_exports_until_it_is_stopped_and_outlives_a_collector_that_is_away(
    traced: WorkerEnv, service: TraceService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exporter, "EVERY_S", 0.05)
    service.status = 503
    stopping = threading.Event()
    settings = replace(traced.settings, traces_url=service.url)
    program = threading.Thread(target=exporter.run, args=(settings, stopping))
    program.start()
    traced.entry_alert()
    run_until(traced, 1)
    until(lambda: "traces wait" in caplog.text, what="the warning")
    service.status = 200
    until(lambda: "protect" in service.names(), what="the spans")
    stopping.set()
    program.join(30)

    assert not program.is_alive()
    assert 1 == caplog.text.count("traces wait")
