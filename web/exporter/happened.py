"""The counters and histograms of what happened since the beginning: calls, jobs, waits, evaluations, orders, alerts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from shared.db.metrics.totals import STEP_ENDS_S, Totals

_ENDS = (*(repr(end) for end in STEP_ENDS_S), "+Inf")


@dataclass(frozen=True, slots=True)
class _Kind:
    """The metrics of a kind of `metric_rollup`; those without a name are not shown. `label` is what its names are."""

    label: str | None
    total: tuple[str, str] | None
    errors: tuple[str, str] | None
    duration: tuple[str, str]


KINDS = {
    "api": _Kind(
        "endpoint",
        ("tickwork_venue_requests", "Calls to the venue."),
        ("tickwork_venue_request_failures", "Calls to the venue that failed."),
        ("tickwork_venue_request_duration_seconds", "Time of a call to the venue."),
    ),
    "job": _Kind(
        "name",
        ("tickwork_jobs_ended", "Jobs that ended, however they did."),
        ("tickwork_job_failures", "Jobs that ended failed or dead."),
        ("tickwork_job_run_duration_seconds", "Time from the start of a job's last run to its end."),
    ),
    "wait": _Kind(
        "queue",
        ("tickwork_queue_jobs_ended", "Jobs of a queue that ended, however they did."),
        ("tickwork_queue_jobs_expired", "Jobs of a queue that expired before they could run."),
        ("tickwork_queue_wait_seconds", "Time for which a due job waited for its last run."),
    ),
    "strategy": _Kind(
        "strategy",
        ("tickwork_strategy_evaluations", "Evaluations of a strategy."),
        None,
        ("tickwork_strategy_evaluation_duration_seconds", "Time of an evaluation of a strategy."),
    ),
    "bars": _Kind(
        "source",
        ("tickwork_bar_reads", "Reads of bars by strategies, by the tier that answered."),
        ("tickwork_bar_reads_with_gaps", "Reads of bars by strategies in which minutes were missing."),
        ("tickwork_bar_read_duration_seconds", "Time of a read of bars by a strategy."),
    ),
    "order": _Kind(
        "step",
        None,
        ("tickwork_order_step_rejections", "Steps of entries and exits that the venue rejected in the end."),
        ("tickwork_order_step_duration_seconds", "Time of a step of an entry or exit."),
    ),
    "alert": _Kind(
        None,
        ("tickwork_alerts", "Alerts that were received."),
        ("tickwork_alerts_refused", "Alerts that were refused."),
        ("tickwork_alert_to_order_duration_seconds", "Time from the receipt of an alert to its first order."),
    ),
}


class Ratchet:
    """Keeps figures from falling: Prometheus would take that for a restart at zero, and count everything again.

    A figure falls by one when a dead job is requeued within half an hour: then no job has ended any more.
    """

    def __init__(self) -> None:
        self._highest: dict[tuple[str, str], list[Decimal | int]] = {}

    def hold(self, totals: Totals) -> dict[tuple[str, str], list[Decimal | int]]:
        """Return by kind and name the count, the errors, the milliseconds and the cumulated counts of the steps.

        Each is at least as high as in every call before.
        """
        for key, found in totals.items():
            figures: list[Decimal | int] = [found.count, found.error_count, found.total_ms, *found.cumulate()]
            before = self._highest.get(key, figures)
            self._highest[key] = [max(pair) for pair in zip(figures, before, strict=True)]
        return self._highest


def build_counters(totals: Totals, ratchet: Ratchet) -> Iterator[Metric]:
    """Yield the metrics of every kind; a histogram lacks what never started, which the counter of its kind has."""
    held = ratchet.hold(totals)
    for kind, one in KINDS.items():
        labels = [] if one.label is None else [one.label]
        total = None if one.total is None else CounterMetricFamily(*one.total, labels=labels)
        errors = None if one.errors is None else CounterMetricFamily(*one.errors, labels=labels)
        durations = HistogramMetricFamily(*one.duration, labels=labels)
        for key in sorted(key for key in held if key[0] == kind):
            count, error_count, total_ms, *cumulated = held[key]
            values = [key[1]] if labels else []
            if total is not None:
                total.add_metric(values, float(count))
            if errors is not None:
                errors.add_metric(values, float(error_count))
            buckets = [(end, float(below)) for end, below in zip(_ENDS, cumulated, strict=True)]
            durations.add_metric(values, buckets, float(total_ms) / 1000)
        yield from (family for family in (total, errors, durations) if family is not None)


def build_progress(until: datetime | None) -> Metric:
    """Return up to when the counters know what happened; 0 before the first minute was summed up."""
    name = "tickwork_metrics_rolled_up_until_timestamp_seconds"
    seconds = 0.0 if until is None else until.timestamp()
    return GaugeMetricFamily(name, "The end of the newest minute that the counters include.", value=seconds)
