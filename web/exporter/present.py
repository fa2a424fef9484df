"""The gauges of the stack now: queues, workers, the risk monitor and the database."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from math import inf

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from shared.db.metrics.present import FleetState, QueueState
from shared.db.risk.monitor_runs import MonitorRow


def build_queues(queues: Sequence[QueueState]) -> Iterator[Metric]:
    """Yield the metrics of the queues."""
    jobs = GaugeMetricFamily("tickwork_jobs", "Jobs that have not ended, or are dead.", labels=["queue", "state"])
    due = GaugeMetricFamily("tickwork_jobs_due", "Queued jobs that could run now.", labels=["queue"])
    oldest = GaugeMetricFamily(
        "tickwork_queue_oldest_due_seconds", "Time for which the oldest due job has waited; 0: none.", labels=["queue"]
    )
    canary = GaugeMetricFamily(
        "tickwork_queue_canary_age_seconds", "Time since a canary came through; +Inf: never.", labels=["queue"]
    )
    republished = CounterMetricFamily(
        "tickwork_queue_wake_ups_republished", "Wake-ups that had to be published again.", labels=["queue"]
    )
    for one in queues:
        for state, count in (("queued", one.queued), ("running", one.running), ("dead", one.dead)):
            jobs.add_metric([one.queue, state], count)
        due.add_metric([one.queue], one.due)
        oldest.add_metric([one.queue], one.oldest_due_s or 0)
        canary.add_metric([one.queue], inf if one.canary_age_s is None else one.canary_age_s)
        republished.add_metric([one.queue], one.republished_count)
    yield from (jobs, due, oldest, canary, republished)


def build_fleets(fleets: Sequence[FleetState]) -> Iterator[Metric]:
    """Yield the metrics of the fleets of workers."""
    workers = GaugeMetricFamily("tickwork_workers", "Workers with a fresh heartbeat, on all hosts.", labels=["fleet"])
    age = GaugeMetricFamily(
        "tickwork_worker_heartbeat_age_seconds",
        "Time since the newest heartbeat of a fleet; +Inf: its workers have ended in order.",
        labels=["fleet"],
    )
    for one in fleets:
        workers.add_metric([one.fleet], one.running)
        age.add_metric([one.fleet], inf if one.age_s is None else one.age_s)
    yield from (workers, age)


def build_monitor(row: MonitorRow | None) -> Iterator[Metric]:
    """Yield the metrics of the active risk monitor."""
    name, about = "tickwork_risk_monitor_last_run_age_seconds", "Time since the rules were last watched; +Inf: never."
    yield GaugeMetricFamily(name, about, value=inf if row is None else row.age.total_seconds())
    name, about = "tickwork_risk_monitor_longest_delay_seconds", "The longest delay of a run in the last minute."
    yield GaugeMetricFamily(name, about, value=0 if row is None else row.max_delay.total_seconds())


def build_database(now: datetime, revision: str, market: str) -> Iterator[Metric]:
    """Yield the metrics of the database, and what this installation is."""
    name = "tickwork_database_timestamp_seconds"
    yield GaugeMetricFamily(name, "The time by Postgres' clock, which runs leases.", value=now.timestamp())
    info = GaugeMetricFamily(
        "tickwork_build_info", "Always 1; the labels say what runs.", labels=["version", "schema", "market"]
    )
    info.add_metric([version("tickwork"), revision, market], 1)
    yield info
