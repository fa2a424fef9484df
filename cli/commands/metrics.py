"""`tickwork metrics`: venue calls, jobs, orders, queues, the feed, programs, strategies and reads of bars."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import click

from cli.client.feed_health import print_feed
from cli.client.gauge_tables import KINDS, print_gauges
from cli.client.stack import connect, load_stack_settings
from cli.client.system_usage import read_system
from cli.console.list_options import watch
from cli.console.output import print_json
from cli.console.params import DurationType, json_option
from cli.console.table import Table
from shared.clock import machine_now
from shared.db.metrics import figures, gauges, metrics
from shared.domain.duration_text import format_duration
from shared.fleets import Queue
from shared.ledger.jobs import job_names_with
from shared.overview.feed_view import read_feed_figures

_STATES = ("queued", "running", "succeeded", "failed", "dead", "expired", "cancelled")
_DURATIONS = ("count", "error_count", "p50_ms", "p95_ms", "p99_ms", "max_ms")
CALLS = Table("Venue calls", ("endpoint", "error_rate", *_DURATIONS), spare=("p50_ms", "max_ms"))
JOBS = Table("Jobs", ("queue", *_STATES))
JOB_RUNS = Table("Runs of jobs", ("name", *_DURATIONS))
WAITS = Table("Waits of due jobs", ("queue", "count", "expired", "p50_ms", "p95_ms", "p99_ms", "max_ms"))
ORDER_STEPS = Table("Steps of orders", ("step", *_DURATIONS))
SLIPPAGE = Table("Slippage of market entries", ("contract_id", "count", "mean_ticks", "worst_ticks"))
QUEUES = Table(
    "Queues: backlog, repairs and canary",
    ("queue", "queued", "republished_count", "canary_wait_ms", "canary_age_s"),
)
SYSTEM = Table("System now", ("name", "cpu_percent", "memory_mb", "processes", "uptime_s"))
STRATEGY_RUNS = Table(
    "Strategies",
    ("strategy", "contract_id", "evaluation_count", "decision_count", "p50_ms", "newest_market_at"),
    spare=("newest_market_at",),
)
BARS_READ = Table("Bars that strategies read", ("source", "count", "miss_count", "gap_count", "p50_ms", "p95_ms"))
_TIERS = ("memory", "redis", "postgres")  # in the order in which a read asks them
# By section, its keys in the JSON document.
SECTIONS = {
    "calls": ("api", "gauges"), "jobs": ("queues", "jobs", "waits"), "orders": ("order_steps", "slippage"),
    "queues": ("canaries",), "feed": ("feed", "gauges"), "system": ("system", "gauges"), "strategies": ("strategies",),
    "bars": ("bars",),
}  # fmt: skip


@click.command(name="metrics")
@click.option(
    "--last",
    "window",
    default="1h",
    show_default=True,
    type=DurationType(),
    metavar="DURATION",
    help="The time to sum up, such as 5m, 1h or 7d; more than a day from the sums of hours, within 1 %.",
)
@click.option(
    "--section", "sections", type=click.Choice(list(SECTIONS)), multiple=True, help="Only this; may be repeated."
)
@click.option(
    "--watch",
    "watch_s",
    type=click.FloatRange(0.5, 3600),
    is_flag=False,
    flag_value=2.0,
    metavar="[SECONDS]",
    help="Show it again every 2 s, or so many, until Ctrl-C.",
)
@json_option
def command(window: timedelta, sections: Sequence[str], watch_s: float | None, *, as_json: bool) -> None:
    """Show figures of the last hour. They cover venue calls, jobs, orders, the feed, programs and strategies."""
    chosen = set(sections) or set(SECTIONS)
    if as_json:
        if watch_s is not None:
            raise click.UsageError("--json prints one document: leave --watch out")
        keys = [key for section in SECTIONS if section in chosen for key in SECTIONS[section]]
        found = _read(window)
        kinds = {kind for section in chosen & KINDS.keys() for kind in KINDS[section]}
        found["gauges"] = [row for row in found["gauges"] if row["kind"] in kinds]
        print_json({"minutes": window / timedelta(minutes=1)} | {key: found[key] for key in keys})
        return
    show = partial(_show, window, chosen)
    if watch_s is None:
        show()
    else:
        watch(show, watch_s)


def _read(window: timedelta) -> dict[str, Any]:
    """Return every figure, by the keys of the JSON document."""
    end, probes = machine_now(), job_names_with("is_probe")
    with connect() as connection:
        found = figures.summarize(connection, end - window, end, probes)
        slippage = figures.measure_slippage(connection, end - window, end)
        counts = metrics.job_summary(connection, window, probes)
        canaries = metrics.list_queue_states(connection)
        strategies = metrics.strategy_summary(connection, window)
        recorded = gauges.summarize(connection, end - window, end)
    for row in (*found, *slippage, *canaries, *strategies, *recorded):
        row |= {name: float(value) for name, value in row.items() if isinstance(value, Decimal)}
    api = _of(found, "api", "endpoint")
    return {
        "api": [row | {"error_percent": round(100 * row["error_count"] / row["count"], 1)} for row in api],
        "queues": _count_by_queue(counts),
        "jobs": _of(found, "job", "name"),
        "waits": _of(found, "wait", "queue"),
        "order_steps": [*_of(found, "alert", "step"), *_of(found, "order", "step")],
        "slippage": slippage,
        "canaries": canaries,
        "system": read_system(),
        "strategies": strategies,
        "bars": _count_by_tier(_of(found, "bars", "source")),
        "feed": read_feed_figures(load_stack_settings().cache_url),
        "gauges": recorded,
    }


def _of(found: list[dict[str, Any]], kind: str, named: str) -> list[dict[str, Any]]:
    """Return the rows of a kind, slowest first, with their name under its own key."""
    return [{named: row["name"]} | {name: row[name] for name in _DURATIONS} for row in found if row["kind"] == kind]


def _count_by_tier(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per tier, with the reads that it answered and those that it had to pass on, or left with gaps."""
    by_tier = {row["source"]: row for row in found}
    rows: list[dict[str, Any]] = []
    passed_on = 0
    for tier in reversed(_TIERS):
        row = by_tier.get(tier, {"count": 0, "error_count": 0})
        gap_count = row["error_count"]
        figures_ms = {name: row.get(name) for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")}
        counts = {"count": row["count"], "miss_count": passed_on + gap_count, "gap_count": gap_count}
        rows.insert(0, {"source": tier} | counts | figures_ms)
        passed_on += row["count"]
    return rows if by_tier else []


def _show(window: timedelta, sections: set[str]) -> None:
    found, last = _read(window), f"last {format_duration(window)}"
    if "calls" in sections:
        CALLS.print(
            [row | {"error_rate": f"{row['error_percent']:.1f} %"} for row in found["api"]],
            empty="No venue calls.\n",
            title=f"Venue calls, {last}, slowest first",
        )
        print_gauges("calls", found["gauges"], last)
    if "jobs" in sections:
        JOBS.print(found["queues"], empty="", title=f"Jobs: queued, running and dead now, others of the {last}")
        JOB_RUNS.print(found["jobs"], empty="No job has ended.\n", title=f"Runs of jobs, {last}, slowest first")
        waits = [row | {"expired": row["error_count"]} for row in found["waits"]]
        WAITS.print(waits, empty="", title=f"Waits of due jobs, {last}")
    if "orders" in sections:
        steps = [row | {"step": row["step"].replace("_", " ")} for row in found["order_steps"]]
        ORDER_STEPS.print(steps, empty="No order was sent.\n", title=f"Steps of alerts, entries and exits, {last}")
        SLIPPAGE.print(found["slippage"], empty="", title=f"Slippage of market entries against the quote, {last}")
    if "queues" in sections:
        QUEUES.print(found["canaries"], empty="")
    if "feed" in sections:
        print_feed(found["feed"])
        print_gauges("feed", found["gauges"], last)
    if "system" in sections:
        _show_system(found["system"])
        print_gauges("system", found["gauges"], last)
    if "strategies" in sections:
        STRATEGY_RUNS.print(found["strategies"], empty="No strategy was evaluated.", title=f"Strategies, {last}")
    if "bars" in sections:
        title = f"Bars that strategies read, {last}; each would else be a call to the venue"
        BARS_READ.print(found["bars"], empty="No strategy has read bars.", title=title)


def _show_system(system: dict[str, Any]) -> None:
    SYSTEM.print(system["programs"], empty="No stack is running here.")
    load = " ".join(f"{one:.2f}" for one in system["load"])
    click.echo(f"Computer: CPU {system['cpu_percent']} %, memory {system['memory_percent']} % used, load {load}\n")


def _count_by_queue(counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {(row["queue"], row["state"]): row["count"] for row in counts}
    return [
        {"queue": queue.value, **{state: found.get((queue.value, state), 0) for state in _STATES}} for queue in Queue
    ]
