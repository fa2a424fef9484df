"""The trace exporter: an alert is one trace from its receipt to the proven stop, sent once, by rows that are there."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shared.db.metrics import spans
from shared.ledger.jobs.orders import ReconcileAccounts
from tests.fixtures.alert_steps import run_until
from tests.fixtures.local_service import LocalService, QuietHandler
from tests.fixtures.processes import until
from tests.fixtures.worker_env import WorkerEnv
from workers.tracing import exporter
from workers.tracing.collector import Collector, CollectorError


class TraceService(LocalService):
    """A collector: the spans that it took, and the status with which it answers."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.resources: list[dict[str, str]] = []
        self.status = 200
        service = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:  # noqa: N802  # as http.server calls it
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if service.status == 200 and self.path == "/v1/traces":
                    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                        found = {one.key: one.value.string_value for one in resource.resource.attributes}
                        service.resources.append(found)
                        service.spans += [span for scope in resource.scope_spans for span in scope.spans]
                self.send_response(service.status)
                self.end_headers()

        super().__init__(Handler)

    @property
    def url(self) -> str:
        return f"http://{self.address}/v1/traces"

    def names(self) -> list[str]:
        """Return the names of the spans, sorted."""
        return sorted(one.name for one in self.spans)


@pytest.fixture
def service() -> Iterator[TraceService]:
    found = TraceService()
    yield found
    found.close()


@pytest.fixture
def traced(worker_env: WorkerEnv, monkeypatch: pytest.MonkeyPatch) -> WorkerEnv:
    """A stack whose spans are to be exported from now on, as soon as they have ended."""
    monkeypatch.setattr(exporter, "LAG", timedelta(0))
    with worker_env.ledger.engine.begin() as connection:
        assert spans.lock_progress(connection) is not None
    return worker_env


def export(env: WorkerEnv, service: TraceService) -> int:
    collector = Collector(service.url)
    try:
        return exporter.export(env.ledger.engine, collector)
    finally:
        collector.close()


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
    service.status = 400
    with pytest.raises(CollectorError, match=r"the collector at http://127.0.0.1:\d+/v1/traces answered 400"):
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
    service.status = 400
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
