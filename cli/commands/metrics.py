"""`tickwork metrics`: venue calls, queues, the feed, programs and strategies."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import click
import psutil

from cli.client.feed_health import print_feed, read_feed_figures
from cli.client.stack import connect, list_running_programs
from cli.console.output import print_json
from cli.console.params import json_option
from cli.console.table import Table
from shared.db.metrics import metrics
from shared.fleets import Queue

_STATES = ("queued", "running", "succeeded", "failed", "dead", "expired", "cancelled")
CALLS = Table("Venue calls", ("endpoint", "count", "error_count", "error_rate", "p50_ms", "p95_ms", "max_ms"))
JOBS = Table("Jobs", ("queue", *_STATES))
QUEUES = Table(
    "Queues: backlog, repairs and canary",
    ("queue", "queued", "republished_count", "canary_wait_ms", "canary_age_s"),
)
SYSTEM = Table("System", ("name", "cpu_percent", "memory_mb", "processes"))
STRATEGY_RUNS = Table(
    "Strategies",
    ("strategy", "contract_id", "evaluation_count", "decision_count", "p50_ms", "newest_market_at"),
    spare=("newest_market_at",),
)

BARS_READ = Table("Bars that strategies read", ("source", "count", "gap_count", "p50_ms", "p95_ms"))


@click.command(name="metrics")
@click.option(
    "--minutes", default=60, show_default=True, type=click.IntRange(1, 7 * 24 * 60), help="Minutes to sum up."
)
@json_option
def command(minutes: int, *, as_json: bool) -> None:
    """Show figures of the last minutes. They cover venue calls, queues, the feed, programs and strategies."""
    window = timedelta(minutes=minutes)
    with connect() as connection:
        api = metrics.api_summary(connection, window)
        counts = metrics.job_summary(connection, window)
        canaries = metrics.list_queue_states(connection)
        strategies = metrics.strategy_summary(connection, window)
        bars = metrics.bars_summary(connection, window)
    for row in api:
        row["error_percent"] = round(100 * row["error_count"] / row["count"], 1)
    for row in (*api, *canaries, *strategies, *bars):
        row |= {name: float(value) for name, value in row.items() if isinstance(value, Decimal)}
    queues, feed = _count_by_queue(counts), read_feed_figures()
    system = _read_system()
    if as_json:
        figures = {
            "api": api,
            "queues": queues,
            "canaries": canaries,
            "system": system,
            "strategies": strategies,
            "bars": bars,
            "feed": feed,
        }
        print_json({"minutes": minutes, **figures})
        return
    last = f"last {minutes} min"
    CALLS.print(
        [row | {"error_rate": f"{row['error_percent']:.1f} %"} for row in api],
        empty="No venue calls.",
        title=f"Venue calls, {last}, slowest first",
    )
    JOBS.print(queues, empty="", title=f"Jobs: queued, running and dead now, others of the {last}")
    QUEUES.print(canaries, empty="")
    print_feed(feed)
    SYSTEM.print(system["programs"], empty="No stack is running here.")
    load = " ".join(f"{one:.2f}" for one in system["load"])
    click.echo(f"Computer: CPU {system['cpu_percent']} %, memory {system['memory_percent']} % used, load {load}\n")
    STRATEGY_RUNS.print(strategies, empty="No strategy was evaluated.", title=f"Strategies, {last}")
    if bars:
        BARS_READ.print(
            bars, empty="", title=f"Bars that strategies read, {last}; each would else be a call to the venue"
        )


def _count_by_queue(counts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = {(row["queue"], row["state"]): row["count"] for row in counts}
    return [
        {"queue": queue.value, **{state: found.get((queue.value, state), 0) for state in _STATES}} for queue in Queue
    ]


def _read_system() -> dict[str, Any]:
    programs = []
    for name, pid in list_running_programs():
        try:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            for process in family:
                process.cpu_percent()
        except psutil.Error:
            continue
        programs.append((name, family))
    cpu = psutil.cpu_percent(interval=0.3)
    return {
        "cpu_percent": cpu,
        "memory_percent": psutil.virtual_memory().percent,
        "load": [round(load, 2) for load in psutil.getloadavg()],
        "programs": [_process_usage(name, family) for name, family in programs],
    }


def _process_usage(name: str, family: list[psutil.Process]) -> dict[str, Any]:
    cpu, memory, count = 0.0, 0, 0
    for process in family:
        try:
            cpu += process.cpu_percent()
            memory += process.memory_info().rss
        except psutil.Error:  # the process has ended
            continue
        count += 1
    return {"name": name, "cpu_percent": round(cpu), "memory_mb": memory // 2**20, "processes": count}
