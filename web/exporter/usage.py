"""The gauges of what computers and programs use, and of the requests that the venue's limits leave."""

from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from shared.db.metrics.gauges import NewestGauge

_MIB = 2**20
# By kind and name of a gauge: the metric, what it says, its labels, and how many of its units are one of the gauge's.
_METRICS = {
    ("host", "cpu_percent"): ("host_cpu_usage_ratio", "CPU in use, of all cores.", ["host"], 0.01),
    ("host", "memory_percent"): ("host_memory_usage_ratio", "Memory in use.", ["host"], 0.01),
    ("host", "load_1m"): ("host_load1", "Load average of a minute.", ["host"], 1),
    ("host", "disk_free_mb"): ("host_disk_free_bytes", "Free space on the disk of TICKWORK_HOME.", ["host"], _MIB),
    ("program", "cpu_percent"): (
        "program_cpu_usage_cores", "Cores that a program and its child processes use.", ["host", "program"], 0.01,
    ),
    ("program", "memory_mb"): (
        "program_memory_bytes", "Resident memory of a program; what processes share counts in each.",
        ["host", "program"], _MIB,
    ),
    ("program", "processes"): ("program_processes", "Processes of a program.", ["host", "program"], 1),
    ("program", "uptime_s"): ("program_uptime_seconds", "Time since a program was started.", ["host", "program"], 1),
    ("budget", "left_percent"): (
        "venue_budget_left_ratio", "Requests that the venue's limits leave, of all that may be sent.", ["budget"], 0.01,
    ),
}  # fmt: skip


def build_usage(newest: Sequence[NewestGauge]) -> Iterator[Metric]:
    """Yield the metrics of usage; without a value of the last minutes, as under Compose, a metric has no sample.

    The ages of prices and the delay of the risk monitor are not among them: those of now are known without a row.
    """
    for (kind, name), (metric, about, labels, scale) in _METRICS.items():
        family = GaugeMetricFamily(f"tickwork_{metric}", about, labels=labels)
        for one in newest:
            if (one.kind, one.name) == (kind, name):
                family.add_metric(one.source.split("/", len(labels) - 1), float(one.mean) * scale)
        yield family
